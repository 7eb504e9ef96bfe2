"""Claude Console, usage export (tokens): a line sums the calls of a day (or minute), model, key and kind of use.

Counting there is exclusive: uncached, written and read tokens stand in columns of their own, the input is their sum.
The export does not say how many calls a line sums. Lines of another speed than the standard one are kept as priority
traffic, which the standard price does not price. Identity: every column that is not a count.
"""

from collections.abc import Mapping

from usage.imports.exports import Export, Found, moment, named, whole
from usage.imports.kind import LineError

WRITES = ("usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write_1h")


def read(line: Mapping[str, str], options: Mapping[str, str]) -> Found | None:
    written = sum(whole(line, name) for name in WRITES)
    cached = whole(line, "usage_input_tokens_cache_read")
    given = whole(line, "usage_input_tokens_no_cache") + written + cached
    output, searches = whole(line, "usage_output_tokens"), whole(line, "web_search_count")
    if not (given or output or searches):
        return None
    if "model_version" not in line:
        raise LineError("model_version", "The model is missing.")
    members = {
        "time": moment(line, "usage_date_utc"),
        "provider": "anthropic",
        "model": line["model_version"],
        "service_tier": tier_of(line),
        "input_tokens": given,
        "cached_input_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": output,
    }
    if searches:
        members["units"] = {"web_search": searches}
    tags = named(line, workspace="workspace", api_key="api_key", inference_geo="inference_geo")
    if line.get("context_window", "").startswith((">", "200k-", "200k+")):
        tags["context_window"] = "> 200k"  # priced as long calls
    return Found(members, is_sum=True, tags=tags)


def tier_of(line: Mapping[str, str]) -> str:
    if "batch" in line.get("usage_type", "").casefold():
        return "batch"
    return "standard" if line.get("speed", "standard").casefold() in {"standard", "normal", "default"} else "priority"


EXPORT = Export(
    key="claude_console_tokens",
    title="Claude Console, tokens",
    source="import-claude-console",
    needs=(frozenset({"usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens"}),),
    identity=(
        "usage_date_utc", "model_version", "api_key", "workspace", "usage_type", "context_window", "inference_geo",
        "speed",
    ),
    read=read,
    note="Days are UTC days there. How many calls a line sums is not in the export: each line counts as one.",
    workflow_from=(("workspace", "Workspace"), ("api_key", "API key")),
)  # fmt: skip
