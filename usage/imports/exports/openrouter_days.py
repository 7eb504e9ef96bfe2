"""OpenRouter activity, one line for each day and model. Identity: day and model.

`Prompt Tokens` and `Completion Tokens` are totals, reasoning among the completion. `Usage` is in dollars.
"""

from collections.abc import Mapping

from usage.imports.exports import Export, Found, decimal, moment, whole
from usage.imports.kind import LineError


def read(line: Mapping[str, str], options: Mapping[str, str]) -> Found | None:
    if "slug" not in line:
        raise LineError("slug", "The model is missing.")
    calls = whole(line, "requests")
    tokens = whole(line, "prompt tokens"), whole(line, "completion tokens")
    costs = [cost for name in ("usage", "byok usage") if (cost := decimal(line, name)) is not None]
    if not calls and not any(tokens) and not any(costs):
        return None
    members = {
        "time": moment(line, "date"),
        "provider": "openrouter",
        "model": line["slug"],
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
        "reasoning_tokens": whole(line, "reasoning tokens"),
    }
    if costs:
        members["cost_usd"] = sum(costs)
    return Found(members, is_sum=True, calls=calls)


EXPORT = Export(
    key="openrouter_days",
    title="OpenRouter activity, per day",
    source="import-openrouter-days",
    needs=(frozenset({"date", "slug", "usage", "requests", "prompt tokens", "completion tokens"}),),
    identity=("date", "slug"),
    read=read,
    note="Days are UTC days there. Do not import the per-call export of the same days too: both count.",
)
