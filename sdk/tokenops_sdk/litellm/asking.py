"""What a call through LiteLLM says about itself: as the request of a decision, and as fields of a usage event. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tokenops_sdk.asking import Request, RunSoFar

HEADER = "x-tokenops-"
LONGEST = 128
LARGEST = 2**31 - 1
MOST_MONEY = 10**15 - 1  # nano-dollars
MOST_TAGS = 32
BYTES_PER_TOKEN = 4
# LiteLLM's call types that are model calls, without the "a" of the asynchronous ones.
OPERATIONS = {
    "completion": "chat",
    "responses": "chat",
    "anthropic_messages": "chat",
    "generate_content": "chat",
    "generate_content_stream": "chat",
    "text_completion": "completion",
    "embedding": "embedding",
    "embeddings": "embedding",
    "rerank": "rerank",
    "image_generation": "image",
    "image_edit": "image",
    "transcription": "audio",
    "audio_transcription": "audio",
    "speech": "audio",
    "search": "search",
}
TEXTS = (
    "run_id", "step_kind", "stage", "task_type", "domain", "environment", "application", "user", "user_tier",
    "customer", "team", "grant_id", "session", "campaign", "channel", "agent", "prompt_version", "response_format",
)  # fmt: skip
NUMBERS = ("step", "attempt", "tier", "output_tokens", "retrieved_chunks", "latency_ms", "max_cost_nano")
SHARES = ("complexity", "quality")
OF_EVENTS = (
    "workflow", "run_id", "step", "attempt", "step_kind", "stage", "task_type", "domain", "environment", "application",
    "user", "user_tier", "customer", "team", "session", "campaign", "channel", "agent", "prompt_version",
    "response_format", "retrieved_chunks", "tools_exposed",
)  # fmt: skip
OF_REQUESTS = (
    "workflow", "run_id", "step", "attempt", "step_kind", "stage", "task_type", "domain", "environment", "application",
    "user", "user_tier", "customer", "team", "grant_id", "tier", "output_tokens", "retrieved_chunks", "latency_ms",
    "max_cost_nano", "complexity", "quality",
)  # fmt: skip
KNOWN = frozenset((*TEXTS, *NUMBERS, *SHARES, "workflow", "risk_flags", "run", "context"))
HEADERS = {HEADER + name.replace("_", "-"): name for name in KNOWN}
UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # an event with one of them is refused: its call would not be counted
NOT_A_SLUG = re.compile(r"[^a-z0-9._-]+")
A_SHARE = re.compile(r"(?:0(?:\.\d{1,6})?|1(?:\.0{1,6})?)\Z")
CAPS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
INJECTED = "user-agent:"  # LiteLLM adds the caller's program to the tags of each request


def operation_of(call_type: object) -> str | None:
    """The operation of one of LiteLLM's call types; None where it is no model call."""
    kind = str(getattr(call_type, "value", call_type) or "")
    return OPERATIONS.get(kind) or OPERATIONS.get(kind.removeprefix("a"))


def described(
    headers: Mapping[str, Any], said: Iterable[object], tags: Iterable[object] = (), fixed: object = None
) -> dict[str, Any]:
    """What the caller says, by our names: texts, whole numbers, `risk_flags`, `tags`, `run`, `context`.

    What `fixed` says (the metadata of LiteLLM's key, its `tokenops` member) goes before headers `X-TokenOps-…`, they
    before `said` (metadata of the body), that before tags `workflow:name`. What cannot be read is left out.
    """
    pairs = tag_pairs(tags)
    stated: dict[str, Any] = {}
    for source in (fixed, by_name(headers), *said, pairs):
        if isinstance(source, Mapping):
            for name in KNOWN & source.keys():
                if stated.get(name) in (None, ""):
                    stated[name] = source[name]
    found = {name: read for name, value in stated.items() if (read := readable(name, value)) not in (None, "", (), {})}
    if pairs:
        found["tags"] = pairs
    return found


def by_name(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Our headers, by the names of the fields."""
    return {name: value for header, value in headers.items() if (name := HEADERS.get(header.lower())) is not None}


def readable(name: str, value: object) -> Any:
    """A field's value as it should be; None, or an empty one, where it cannot be read."""
    if name in NUMBERS:
        return as_number(value, MOST_MONEY if name == "max_cost_nano" else LARGEST)
    if name == "workflow":
        return as_slug(value)
    if name == "risk_flags":
        return as_list(value)
    if name in ("run", "context"):
        return as_members(value)
    text = as_text(value)
    return text if name not in SHARES or A_SHARE.match(text) else None


def tag_pairs(tags: Iterable[object]) -> dict[str, str]:
    """Tags as pairs: `key:value` as it is, a bare word as word → "yes"; without what LiteLLM adds by itself."""
    pairs: dict[str, str] = {}
    for tag in [tags] if isinstance(tags, str) else tags:
        text = str(tag)
        key, value = (as_text(part) for part in (text.partition(":")[::2]))
        if key and not text.lower().startswith(INJECTED) and len(pairs) < MOST_TAGS:
            pairs[key] = value or "yes"
    return pairs


def as_text(value: object) -> str:
    """At most 128 characters that can be stored; empty where it is no plain value."""
    if not isinstance(value, str | int | float) or value is True:
        return ""
    return UNSTORABLE.sub("", str(value)).strip()[:LONGEST]


def as_number(value: object, most: int = MOST_MONEY) -> int | None:
    """A whole number from 0 to `most`, also from text; else None."""
    text = str(value).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
    return number if number is not None and number <= most else None


def as_slug(value: object) -> str:
    """A workflow's name in the letters that one may have: "SEO briefs" is seo-briefs."""
    return NOT_A_SLUG.sub("-", as_text(value).lower()).strip("-._")[:LONGEST].strip("-._")


def as_list(value: object) -> tuple[str, ...]:
    """A list of texts, also from text with commas."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return tuple(text for part in parts if (text := as_text(part)))


def as_members(value: object) -> dict[str, Any]:
    """An object, also from its JSON text, since OpenAI's metadata holds text only."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return {str(name): member for name, member in value.items()} if isinstance(value, Mapping) else {}


def request_of(data: Mapping[str, Any], said: Mapping[str, Any], operation: str, provider: str, model: str) -> Request:
    """The question. `data` is the body as LiteLLM holds it; `provider`, `model` in the price book's words."""
    known = {name: said[name] for name in OF_REQUESTS if name in said}
    layers = context_of(data)
    layers |= {
        name: number for name, value in said.get("context", {}).items() if (number := as_number(value)) is not None
    }
    tools = data.get("tools")
    if known.get("step") == 0:
        del known["step"]
    known["attempt"] = max(1, known.get("attempt", 1))
    answers = copies(data)
    cap = asked_cap(data)
    return Request(
        **known,
        operation=operation,
        provider=provider,
        model=model,
        tags=said.get("tags", {}),
        risk_flags=said.get("risk_flags", ()),
        input_tokens=sum(layers.values()),
        context=layers,
        max_output_tokens=None if cap is None else cap * answers,
        tools_exposed=len(tools) if isinstance(tools, list) else None,
        run=run_of(said.get("run", {})),
    )


def run_of(said: Mapping[str, Any]) -> RunSoFar:
    """What the caller says of its run so far."""
    kinds = as_members(said.get("steps_by_kind"))
    return RunSoFar(
        steps=as_number(said.get("steps")) or 0,
        steps_by_kind={kind: number for kind, value in kinds.items() if (number := as_number(value)) is not None},
        tokens=as_number(said.get("tokens")) or 0,
        cost_nano=as_number(said.get("cost_nano")) or 0,
    )


def asked_cap(data: Mapping[str, Any]) -> int | None:
    """The longest answer that the caller asked for, the least of the names it may go by."""
    caps = [data[name] for name in CAPS if type(data.get(name)) is int and data[name] > 0]
    return min(caps) if caps else None


def copies(data: Mapping[str, Any]) -> int:
    """How many answers are asked for at once."""
    wanted = data.get("n")
    return wanted if type(wanted) is int and wanted > 1 else 1


def capped(data: dict[str, Any], cap: int, call_type: object) -> None:
    """Let no answer be longer than `cap` tokens, all copies together, under the name that this kind of call goes by."""
    if operation_of(call_type) not in ("chat", "completion"):
        return
    each = max(1, cap // copies(data))
    named = [name for name in CAPS if data.get(name) is not None]
    if not named:
        named = ["max_output_tokens" if "responses" in str(getattr(call_type, "value", call_type)) else "max_tokens"]
    for name in named:
        data[name] = min(data[name], each) if type(data.get(name)) is int else each


def context_of(data: Mapping[str, Any]) -> dict[str, int]:
    """The input's tokens by layer, estimated at four bytes a token: counting them would take longer than deciding."""
    layers = {"system": size(data.get("system")) + size(data.get("instructions")), "tools": size(data.get("tools"))}
    messages = data.get("messages")
    if not isinstance(messages, list):
        layers["user"] = size(data.get("input")) + size(data.get("prompt"))
        messages = []
    last = max((n for n, one in enumerate(messages) if _role(one) == "user"), default=-1)
    for n, message in enumerate(messages):
        role = _role(message)
        layer = "system" if role in ("system", "developer") else "user" if n >= last else "history"
        content = message.get("content") if isinstance(message, Mapping) else message
        layers[layer] = layers.get(layer, 0) + size(content) + size(_calls(message))
    return {layer: -(-count // BYTES_PER_TOKEN) for layer, count in layers.items() if count}


def size(value: object) -> int:
    """Bytes of all texts in a value, however deep. Pictures and sound (data: addresses, base64) count nothing."""
    count, left = 0, [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            count += (
                0 if one.startswith("data:") else len(one) if one.isascii() else len(one.encode("utf-8", "replace"))
            )
        elif isinstance(one, Mapping):
            left += [part for name, part in one.items() if name not in ("type", "data", "cache_control")]
        elif isinstance(one, list | tuple):
            left += one
    return count


def _role(message: object) -> object:
    return message.get("role") if isinstance(message, Mapping) else None


def _calls(message: object) -> object:
    return message.get("tool_calls") if isinstance(message, Mapping) else None
