"""LiteLLM's StandardLoggingPayload: what its callbacks send after each call, one JSON object per line.

Identity: call id, status and response id together. `id` alone repeats when a provider's response is served again, and a
call id is used for the failed attempt and for the one that went through.
Counting is inclusive (OpenAI's way) for every provider, because LiteLLM adds Anthropic's cache counts to
`prompt_tokens` itself. A failure carries no usage: its tokens stay unknown, they are not zero. An answer from LiteLLM's
own cache cost nothing: its tokens are `avoided_…`.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from usage.replay.rows import json_rows
from usage.replay.trace import Event, Format, Given, Unreadable, each_row

OPERATIONS = {
    "completion": "chat",
    "responses": "chat",
    "anthropic_messages": "chat",
    "generate_content": "chat",
    "text_completion": "completion",
    "embedding": "embedding",
    "rerank": "rerank",
    "image_generation": "image",
    "transcription": "audio",
    "speech": "audio",
    "search": "search",
}
SERVICE_TIERS = {
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
    "batch": "batch",
}
LONGEST = 128


def identity(payload: dict[str, Any]) -> str:
    """Call id, status and response id; hashed where that is longer than an event id may be."""
    text = ":".join(str(payload.get(name) or "") for name in ("litellm_call_id", "status", "id"))
    if not payload.get("litellm_call_id") and not payload.get("id"):
        raise ValueError("neither litellm_call_id nor id")
    return text if len(text) <= LONGEST else "litellm-" + hashlib.blake2b(text.encode(), digest_size=24).hexdigest()


def tokens(payload: dict[str, Any], metadata: dict[str, Any]) -> Event:
    """The token fields; empty where the payload has no usage."""
    usage = metadata.get("usage_object")
    if not isinstance(usage, dict) and not payload.get("total_tokens"):
        return {}
    usage = usage if isinstance(usage, dict) else {}
    prompt, completion = int(payload["prompt_tokens"]), int(payload["completion_tokens"])
    if payload.get("cache_hit") is True:
        return {
            "input_tokens": 0,
            "output_tokens": 0,
            "avoided_input_tokens": prompt,
            "avoided_output_tokens": completion,
            "cache": "response",
        }
    prompt_parts = usage.get("prompt_tokens_details") or {}
    completion_parts = usage.get("completion_tokens_details") or {}
    cached = prompt_parts.get("cached_tokens") or usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or prompt_parts.get("cache_creation_tokens") or 0
    return {
        "input_tokens": prompt,
        "cached_input_tokens": cached,
        "cache_write_tokens": written or None,
        "output_tokens": completion,
        "reasoning_tokens": completion_parts.get("reasoning_tokens"),
        "cache": "prompt" if cached else None,
    }


def status(payload: dict[str, Any]) -> str:
    """`ok`, `timeout` or `error`."""
    if payload.get("status") == "success":
        return "ok"
    error = (payload.get("error_information") or {}).get("error_class") or ""
    return "timeout" if "timeout" in error.lower() else "error"


def tags(payload: dict[str, Any]) -> dict[str, str] | None:
    """Request tags as pairs: `key:value` as it is, a bare word as word → "yes"."""
    pairs = (str(tag).partition(":") for tag in payload.get("request_tags") or [])
    return {key[:LONGEST]: (value or "yes")[:LONGEST] for key, _, value in list(pairs)[:32] if key} or None


def read(lines: Iterator[str], given: Given) -> Iterator[Event | Unreadable]:
    def call(payload: dict[str, Any], _line: int) -> Event:
        metadata = payload.get("metadata") or {}
        response = payload["response"] if isinstance(payload.get("response"), dict) else {}
        choices = response.get("choices") or [{}]
        cost = payload.get("response_cost")
        kind = str(payload.get("call_type") or "")
        seconds = payload.get("response_time")
        return {
            "id": identity(payload),
            "time": datetime.fromtimestamp(float(payload["endTime"]), UTC),
            "model": response.get("model") or payload.get("model") or given.model,
            "requested_model": payload.get("model_group") or payload.get("model"),
            "provider": payload.get("custom_llm_provider") or None,
            "workflow": given.workflow,
            "run_id": payload.get("trace_id") or None,
            "session": payload.get("session_id") or None,
            "operation": OPERATIONS.get(kind.removeprefix("a")) or OPERATIONS.get(kind),
            "status": status(payload),
            "finish_reason": choices[0].get("finish_reason"),
            "latency_ms": None if seconds is None else round(float(seconds) * 1000),
            "service_tier": SERVICE_TIERS.get((payload.get("cost_breakdown") or {}).get("service_tier") or ""),
            "user": payload.get("end_user") or metadata.get("user_api_key_user_id"),
            "team": metadata.get("user_api_key_team_alias") or metadata.get("user_api_key_team_id"),
            "application": metadata.get("user_api_key_alias"),
            "tags": tags(payload),
            "cost_usd": None if cost is None else format(Decimal(str(cost)), "f"),
            **tokens(payload, metadata),
        }

    return each_row(json_rows(lines), call)


FORMAT = Format(
    name="litellm",
    what="LiteLLM StandardLoggingPayload, JSON lines with litellm_call_id, status, metadata.usage_object",
    identity="litellm_call_id, status and id together",
    recognises=lambda head: head.lstrip().startswith("{") and '"litellm_call_id"' in head and '"call_type"' in head,
    read=read,
)
