"""A decision in words for "Try it". Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from tokenops_sdk.asking import Decision

from budgets.pages.moments import clock, day_year
from budgets.workflows.limit_kinds import CACHE_KINDS, listed
from routing.policy.words import Names, counted, dollars

ACTIONS: Final[Mapping[str, str]] = {
    "allow": "The call goes through",
    "downgrade": "The call goes through, served by a cheaper tier",
    "human_review": "The call goes through, and a person reviews the result",
    "throttle": "The call goes through, slowed down",
    "summarize": "The caller has to send less first",
    "require_approval": "Somebody has to approve it first",
    "block": "The call is refused",
}
SHORT: Final[Mapping[str, str]] = {
    "allow": "goes through", "downgrade": "cheaper tier", "human_review": "reviewed", "throttle": "slowed down",
    "summarize": "send less", "require_approval": "needs approval", "block": "refused",
}  # fmt: skip
SIGNS: Final[Mapping[str, str]] = {
    "allow": "ok", "downgrade": "watch", "human_review": "watch", "throttle": "watch", "summarize": "over",
    "require_approval": "over", "block": "over",
}  # fmt: skip
ICONS: Final = {"ok": "check", "watch": "warn", "over": "over"}
COUNTED: Final = {"retrieved_chunks": "looked-up passages", "tools_exposed": "tools"}
LAYERS: Final = {"history": "the earlier turns", "retrieval": "the looked-up text", "input": "the input"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason: its sentence, what it leads to, how it is marked."""

    text: str
    code: str
    leads_to: str
    sign: str
    icon: str


@dataclass(frozen=True, slots=True)
class Told:
    """A decision for readers. `facts`: (label, value)."""

    headline: str
    sign: str
    icon: str
    facts: list[tuple[str, str]]
    reasons: list[Finding]
    changes: list[str]
    allowed: bool


def told(decision: Decision, names: Names, zone: ZoneInfo, budgets: Mapping[str, str]) -> Told:
    """`names` of tiers and workflows, `budgets` those of budgets by short name; times are said in `zone`."""
    sign = SIGNS[decision.action]
    return Told(
        headline=headline(decision),
        sign=sign,
        icon=ICONS[sign],
        facts=facts(decision, names, budgets),
        reasons=[
            Finding(one.text, one.code, SHORT[one.action], SIGNS[one.action], ICONS[SIGNS[one.action]])
            for one in decision.reasons
        ],
        changes=list(dict.fromkeys(change_in_words(one, names, zone, budgets) for one in decision.changes)),
        allowed=decision.allowed,
    )


def headline(decision: Decision) -> str:
    if decision.action == "throttle" and decision.per_minute is not None:
        calls = f"{decision.per_minute:,} call{'' if decision.per_minute == 1 else 's'}"
        return f"{ACTIONS['throttle']}: at most {calls} a minute."
    return f"{ACTIONS[decision.action]}."


def facts(decision: Decision, names: Names, budgets: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is said of the call, in the order of the page; what is not said is left out."""
    said = [("Counts as", names.of("workflow", decision.workflow))]
    said.append(("Tier", "in none" if decision.tier is None else names.tier(decision.tier)))
    if decision.default_tier is not None and decision.default_tier != decision.tier:
        said.append(("Without asking", names.tier(decision.default_tier)))
    if decision.model:
        said.append(("Model", _named(decision.provider, decision.model)))
    if decision.fallbacks:
        said.append(("Stands in for it", listed([_named(one.provider, one.model) for one in decision.fallbacks])))
    if decision.estimated_cost_nano is not None:
        said.append(("Would cost about", dollars(decision.estimated_cost_nano)))
    if decision.max_output_tokens is not None:
        said.append(("Longest answer", counted(decision.max_output_tokens)))
    said.append(("A person reviews", "yes" if decision.review else "no"))
    if decision.allowed:
        caches = [CACHE_KINDS.get(kind, kind) for kind in decision.cache]
        said.append(("A cache may answer", listed(caches) if caches else "no"))
    if decision.batch:
        said.append(("May wait for a batch", "yes"))
    if decision.grant_id:
        said.append(("Uses the allowance", decision.grant_id))
    if decision.leases:
        said.append(("Reserved before the call", listed([_lease(one, budgets) for one in decision.leases], "and")))
    return said


def _named(provider: str | None, model: str) -> str:
    return f"{provider}/{model}" if provider else model


def _lease(lease: Mapping[str, Any], budgets: Mapping[str, str]) -> str:
    if lease.get("kind") == "money":
        return f"money of the budget “{_budget(lease, budgets)}”"
    return {"calls": "a call of the minute", "tokens": "tokens of the day"}.get(str(lease.get("kind")), "a share")


def _budget(named: Mapping[str, Any], budgets: Mapping[str, str]) -> str:
    slug = str(named.get("budget", ""))
    return budgets.get(slug, slug)


def change_in_words(change: Mapping[str, Any], names: Names, zone: ZoneInfo, budgets: Mapping[str, str]) -> str:
    """What would change the decision, as a sentence."""
    kind = change.get("kind")
    if kind == "reset":
        at = datetime.fromisoformat(str(change["at"])).astimezone(zone)
        return f"The next period of the budget, from {day_year(at.date())}, {clock(at)}."
    if kind == "resume" and "run" in change:
        return _goes_on(change, zone)
    if kind == "shorten":
        return _shorter(str(change.get("layer", "input")), int(change.get("to", 0)))
    tier = names.tier(int(change["tier"])) if "tier" in change else ""
    return {
        "grant": f"An approval for {tier}.",
        "use": f"Using {tier}.",
        "resume": "Somebody lets the workflow go on.",
        "budget": f"More in the budget “{_budget(change, budgets)}”.",
    }.get(str(kind), "Something else about the call.")


def _goes_on(change: Mapping[str, Any], zone: ZoneInfo) -> str:
    if "at" not in change:
        return "Somebody lets the run go on."
    at = datetime.fromisoformat(str(change["at"])).astimezone(zone)
    return f"Somebody lets the run go on; by itself it may from {day_year(at.date())}, {clock(at)}."


def _shorter(layer: str, to: int) -> str:
    if layer in COUNTED:
        return f"At most {to:,} {COUNTED[layer]}."
    return f"Shortening {LAYERS.get(layer, layer)} to {counted(to)}."
