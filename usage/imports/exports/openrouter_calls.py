"""OpenRouter activity, one line for each call. Identity: `generation_id`.

`tokens_prompt` holds the cached ones and `tokens_completion` the reasoning ones. The stated cost is what OpenRouter
charged and, with a key of one's own, what the provider charged for the inference.
"""

from collections.abc import Mapping
from typing import Any

from usage.imports.exports import Export, Found, decimal, moment, named, whole
from usage.imports.kind import LineError

YES = {"true", "t", "1", "yes"}


def read(line: Mapping[str, str], options: Mapping[str, str]) -> Found | None:
    for name in ("generation_id", "model_permaslug"):
        if name not in line:
            raise LineError(name, "This value is missing.")
    costs = [cost for name in ("cost_total", "byok_usage_inference") if (cost := decimal(line, name)) is not None]
    variant = line.get("variant", "standard").casefold()
    members: dict[str, Any] = {
        "id": line["generation_id"],
        "time": moment(line, "created_at"),
        "provider": "openrouter",
        "model": line["model_permaslug"] + (f":{variant}" if variant != "standard" else ""),
        "status": "cancelled" if line.get("cancelled", "").casefold() in YES else "ok",
    }
    for field, name in (
        ("input_tokens", "tokens_prompt"),
        ("cached_input_tokens", "tokens_cached"),
        ("output_tokens", "tokens_completion"),
        ("reasoning_tokens", "tokens_reasoning"),
        ("latency_ms", "generation_time_ms"),
    ):
        if name in line:
            members[field] = whole(line, name)
    for field, name in (
        ("application", "app_name"),
        ("user", "user"),
        ("finish_reason", "finish_reason_normalized"),
    ):
        if name in line:
            members[field] = line[name][:128]
    if costs:
        members["cost_usd"] = sum(costs)
    return Found(members, tags=named(line, api_key="api_key_name", served_by="provider_name"))


EXPORT = Export(
    key="openrouter_calls",
    title="OpenRouter activity, per call",
    source="import-openrouter",
    needs=(frozenset({"generation_id", "created_at", "tokens_prompt", "tokens_completion", "model_permaslug"}),),
    identity=("generation_id",),
    read=read,
    note="Times without a zone are read as UTC.",
    workflow_from=(("app_name", "App"), ("api_key_name", "API key")),
)
