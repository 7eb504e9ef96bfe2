"""LiteLLM's StandardLoggingPayload, what its callbacks get after each call, as a usage event (docs/events.md). Pure.

Identity: call id, status and response id together, because one call id stands for the attempt that failed and for the
one that went through, and `id` alone repeats when a provider's response is served again. Failures have no response id:
when each began tells two of them apart.
Counting is inclusive (OpenAI's way) for every provider, because LiteLLM adds Anthropic's cache counts to
`prompt_tokens` itself. A failure carries no usage: its tokens stay unknown, they are not zero. An answer from LiteLLM's
own cache cost nothing: its tokens are `avoided_…`.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tokenops_sdk.litellm.asking import LONGEST, OF_EVENTS, as_text, described, operation_of

Event = dict[str, Any]

SERVICE_TIERS = {
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
    "batch": "batch",
}
REFUSED_BY_US = "TokenOpsRefusal"
NOBODY = frozenset({"default_user_id", "litellm_proxy_master_key"})
# LiteLLM's words for providers, where the price book has others.
PROVIDERS = {
    "text-completion-openai": "openai",
    "azure_ai": "azure",
    "azure_text": "azure",
    "gemini": "google",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "palm": "google",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "bedrock_mantle": "aws",
    "sagemaker": "aws",
    "sagemaker_chat": "aws",
    "cohere_chat": "cohere",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "xai": "x-ai",
    "moonshot": "moonshotai",
    "voyage": "voyageai",
    "github_copilot": "github-copilot",
    "text-completion-codestral": "mistral",
    "codestral": "mistral",
}


def recognised(payload: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a payload: none of our events has these members."""
    return "litellm_call_id" in payload and "call_type" in payload and "endTime" in payload


def event_of(payload: Mapping[str, Any]) -> Event:
    """The usage event; members that are None are not known. Raises ValueError, KeyError, TypeError for a broken one."""
    metadata = _mapping(payload.get("metadata"))
    response = _mapping(payload.get("response"))
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    proxied = bool(metadata.get("user_api_key_request_route"))
    provider, model = served(payload)
    if not proxied and isinstance(response.get("model"), str) and response["model"]:
        model = response["model"]  # exact, dated. A proxy writes what the caller asked for in its place.
    cost = payload.get("response_cost")
    failed = payload.get("status") == "failure"
    seconds = payload.get("response_time")
    event = {
        "id": identity(payload),
        "time": datetime.fromtimestamp(float(payload["endTime"]), UTC),
        "model": as_text(model),
        "requested_model": text(payload.get("model_group") or payload.get("model")),
        "provider": provider or None,
        "run_id": None if proxied else text(payload.get("trace_id")),
        "session": text(payload.get("session_id")),
        "operation": operation_of(payload.get("call_type")),
        "status": status(payload),
        "finish_reason": text(first.get("finish_reason")),
        "latency_ms": None if seconds is None else max(0, round(float(seconds) * 1000)),
        "service_tier": SERVICE_TIERS.get(_mapping(payload.get("cost_breakdown")).get("service_tier") or ""),
        "user": text(payload.get("end_user") or person(metadata.get("user_api_key_user_id"))),
        "team": text(metadata.get("user_api_key_team_alias") or metadata.get("user_api_key_team_id")),
        "application": text(metadata.get("user_api_key_alias")),
        "cost_usd": None if cost is None or failed else format(Decimal(str(cost)), "f"),
        **tokens(payload, metadata),
    }
    return event | of_caller(payload, metadata)


def of_caller(payload: Mapping[str, Any], metadata: Mapping[str, Any]) -> Event:
    """What the caller said of the call, by headers, metadata or tags; only what is known."""
    said = described(
        _mapping(metadata.get("requester_custom_headers")),
        [metadata.get("requester_metadata"), metadata.get("spend_logs_metadata")],
        payload.get("request_tags") or [],
        _mapping(metadata.get("user_api_key_auth_metadata")).get("tokenops"),
    )
    return event_fields(said)


def event_fields(said: Mapping[str, Any]) -> Event:
    """Those of `described` that events have. Events count steps and attempts from 1."""
    fields = {name: said[name] for name in (*OF_EVENTS, "tags") if name in said}
    return {name: value for name, value in fields.items() if value or name not in ("step", "attempt")}


def identity(payload: Mapping[str, Any]) -> str:
    """As the module says; hashed where that is longer than an event id may be. ValueError without any id."""
    if not payload.get("litellm_call_id") and not payload.get("id"):
        raise ValueError("neither litellm_call_id nor id")
    parts = [str(payload.get(name) or "") for name in ("litellm_call_id", "status", "id")]
    if payload.get("status") == "failure" and payload.get("startTime"):
        parts.append(format(Decimal(str(payload["startTime"])), "f"))
    return short_enough(":".join(parts))


def short_enough(event_id: str) -> str:
    """The id, or a hash of it where it is longer than an event id may be."""
    if len(event_id) <= LONGEST:
        return event_id
    return "litellm-" + hashlib.blake2b(event_id.encode(), digest_size=24).hexdigest()


def served(payload: Mapping[str, Any]) -> tuple[str, str]:
    """Provider and model that served it, in the price book's words where they differ."""
    said = str(payload.get("model") or "")
    provider, model = named(said, str(payload.get("custom_llm_provider") or ""))
    if provider == "azure":  # the name of a deployment says nothing; LiteLLM's map may know what it is
        listed = _mapping(payload.get("model_map_information"))
        key = str(listed.get("model_map_key") or "")
        if key and listed.get("model_map_value"):
            model = key.removeprefix("azure/")
    return provider, model


def named(model: str, provider: str = "") -> tuple[str, str]:
    """Provider and model of LiteLLM's `provider/model`, in the price book's words."""
    head, slash, rest = model.partition("/")
    if slash and (not provider or head == provider):
        provider, model = provider or head, rest
    return canonical(provider), model


def canonical(provider: str) -> str:
    """The price book's word for a provider of LiteLLM's."""
    return PROVIDERS.get(provider) or ("google" if provider.startswith("vertex_ai") else provider)


def tokens(payload: Mapping[str, Any], metadata: Mapping[str, Any]) -> Event:
    """The token fields; empty where the payload has no usage."""
    usage = metadata.get("usage_object")
    if payload.get("status") == "failure" and not payload.get("total_tokens"):
        return {}
    if not isinstance(usage, Mapping) and not payload.get("total_tokens"):
        return {}
    usage = _mapping(usage)
    prompt, completion = int(payload["prompt_tokens"]), int(payload["completion_tokens"])
    if payload.get("cache_hit") is True:
        return {
            "input_tokens": 0,
            "output_tokens": 0,
            "avoided_input_tokens": prompt,
            "avoided_output_tokens": completion,
            "cache": "response",
        }
    prompt_parts, completion_parts = (
        _mapping(usage.get(name)) for name in ("prompt_tokens_details", "completion_tokens_details")
    )
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


def status(payload: Mapping[str, Any]) -> str:
    """`ok`, `timeout`, `cancelled`, `blocked` or `error`."""
    error = _mapping(payload.get("error_information"))
    if payload.get("status") == "success":
        return "cancelled" if str(error.get("error_code") or "") == "499" else "ok"
    kind = str(error.get("error_class") or "")
    return "blocked" if kind == REFUSED_BY_US else "timeout" if "timeout" in kind.lower() else "error"


def text(value: object) -> str | None:
    """At most 128 characters that can be stored; None for nothing."""
    return None if value is None else as_text(str(value)) or None


def person(user: object) -> object:
    """Who it is; None for the names that LiteLLM gives to nobody."""
    return None if user in NOBODY else user


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
