"""Claude Console, cost export: a line is an amount for a day, model, key and kind of token, without token counts.

So a line becomes a call without token counts, whose own cost is unknown and whose stated cost is kept beside it; it is
never added to what the tokens export brings. Identity: every column that is not an amount.
"""

from collections.abc import Mapping

from usage.imports.exports import Export, Found, decimal, moment, named
from usage.imports.kind import LineError


def read(line: Mapping[str, str], options: Mapping[str, str]) -> Found | None:
    cost = decimal(line, "cost_usd")
    if cost is None:
        raise LineError("cost_usd", "The amount is missing.")
    if not cost:
        return None
    if cost < 0:
        raise LineError("cost_usd", "A negative amount is no usage. Enter credits under Other costs.")
    members = {
        "time": moment(line, "usage_date_utc"),
        "provider": "anthropic",
        "model": line.get("model") or line.get("cost_type") or "unknown",
        "service_tier": "batch" if "batch" in line.get("usage_type", "").casefold() else "standard",
        "cost_usd": cost,
    }
    tags = named(line, **{name: name for name in ("workspace", "api_key", "token_type", "cost_type")})
    return Found(members, is_sum=True, tags=tags)


EXPORT = Export(
    key="claude_console_costs",
    title="Claude Console, costs",
    source="import-claude-costs",
    needs=(frozenset({"usage_date_utc", "token_type", "cost_usd", "cost_type"}),),
    identity=(
        "usage_date_utc", "model", "workspace", "api_key", "usage_type", "context_window", "token_type", "cost_type",
        "inference_geo", "speed",
    ),
    read=read,
    note="This export has amounts and no tokens: lines count as calls whose cost by our prices is unknown, with the "
    "stated amount beside. For spend, import the tokens export of the same days.",
    workflow_from=(("workspace", "Workspace"), ("api_key", "API key")),
)  # fmt: skip
