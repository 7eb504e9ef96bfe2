"""What a caller of the proxy is told: why a call is not made, or by what it was served instead. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tokenops_sdk.asking import Decision

# What passes by itself is 429, so that callers may come again; what somebody must change is 403.
PASSES = frozenset({"budget_exhausted", "budget_too_small", "stale_blocked", "too_fast"})
PLAIN = "".join(chr(n) for n in range(32, 127) if chr(n) != "%")
LONGEST = 1000  # of a header

Headers = dict[str, str]


def status_of(decision: Decision) -> int:
    """429 where time alone will change the answer, else 403."""
    found = [reason for reason in decision.reasons if reason.action == decision.action]
    passes = [reason.code in PASSES or reason.code.startswith("lease") for reason in found]
    return 429 if found and all(passes) and decision.action == "block" else 403


def detail_of(decision: Decision) -> dict[str, Any]:
    """The body's `error`: a sentence as LiteLLM passes it on, and what programs need."""
    severest = [reason for reason in decision.reasons if reason.action == decision.action] or list(decision.reasons)
    return {
        "error": " ".join(dict.fromkeys(reason.text for reason in severest)) or "The policy does not allow this call.",
        "code": severest[0].code if severest else decision.action,
        "action": decision.action,
        "workflow": decision.workflow,
        "reasons": [
            {"code": one.code, "action": one.action, "values": dict(one.values), "text": one.text}
            for one in decision.reasons
        ],
        "changes": [dict(change) for change in decision.changes],
        "revision": decision.revision,
        "policy_version": decision.policy_version,
    }


def headers_of(decision: Decision, requested: str = "") -> Headers:
    """Headers that say what was decided. Texts are percent-encoded UTF-8, since a header holds plain letters only."""
    found = {
        "action": decision.action,
        "workflow": decision.workflow,
        "model": f"{decision.provider}/{decision.model}" if decision.provider and decision.model else decision.model,
        "requested-model": requested if decision.action == "downgrade" else None,
        "tier": decision.tier,
        "max-output-tokens": decision.max_output_tokens,
        "review": "yes" if decision.review else None,
        "reasons": ",".join(dict.fromkeys(reason.code for reason in decision.reasons)),
        "text": " ".join(reason.text for reason in decision.reasons if reason.action != "allow"),
        "revision": decision.revision,
    }
    return {f"x-tokenops-{name}": header(value) for name, value in found.items() if value not in (None, "")}


def refusal_headers(decision: Decision, now: datetime, requested: str = "") -> Headers:
    """The same of a call that is not made. Clients of OpenAI ask again at once, if nobody tells them not to."""
    headers = headers_of(decision, requested) | {"x-should-retry": "false"}
    seconds = seconds_until_reset(decision.changes, now)
    if seconds is not None and status_of(decision) == 429:
        headers["retry-after"] = str(seconds)
    return headers


def seconds_until_reset(changes: tuple[Mapping[str, Any], ...], now: datetime) -> int | None:
    """When the last of what must be reset will be; None where nothing is."""
    found = [datetime.fromisoformat(str(one["at"])) for one in changes if one.get("kind") == "reset" and one.get("at")]
    return max(1, int((max(found).astimezone(UTC) - now).total_seconds()) + 1) if found else None


def header(value: object) -> str:
    """A value as a header may hold it."""
    return quote(str(value), safe=PLAIN)[:LONGEST]
