"""The usage event, v1, and what makes one impossible. Pure: no Django, no models.

Counting is inclusive: `input_tokens` holds cached and cache-written ones, `output_tokens` the reasoning ones. Adapters
turn a source's exclusive counting into this before the struct is made.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

SLUG = r"^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$"
MAX_TOKENS = 100_000_000  # far above any context window; keeps every sum inside 64 bits
MAX_COST = Decimal(100_000)  # dollars for one call
MAX_AHEAD = timedelta(hours=24)
NANO = 1_000_000_000

Text = Annotated[str, Meta(max_length=128)]
Count = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]
Small = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Ordinal = Annotated[int, Meta(ge=1, le=2**31 - 1)]
TierNumber = Annotated[int, Meta(ge=1, le=99)]

# Calls whose answer is not text have no output tokens to report.
TEXT_OPERATIONS = frozenset({"chat", "completion", ""})


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One model call. Lengths in characters, tokens as whole numbers, `time` aware. Unknown members are ignored."""

    id: Annotated[str, Meta(min_length=1, max_length=128)]
    time: Annotated[datetime, Meta(tz=True)]
    model: Annotated[str, Meta(min_length=1, max_length=128)]
    source: Text | None = None
    workflow: Annotated[str, Meta(pattern=SLUG, max_length=128)] | None = None
    run_id: Text | None = None
    step: Ordinal | None = None
    attempt: Ordinal | None = None
    stage: Text | None = None
    task_type: Text | None = None
    domain: Text | None = None
    environment: Text | None = None
    operation: Literal["chat", "completion", "embedding", "rerank", "search", "image", "audio", "tool"] | None = None
    agent: Text | None = None
    step_kind: Text | None = None
    prompt_version: Text | None = None
    response_format: Text | None = None
    tools_exposed: Small | None = None
    tools_used: Small | None = None
    units: Annotated[dict[Text, Decimal], Meta(max_length=16)] | None = None
    provider: Text | None = None
    requested_model: Text | None = None
    tier: TierNumber | None = None
    default_tier: TierNumber | None = None
    grant_id: Text | None = None
    lease_id: Text | None = None
    bundle_revision: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    input_tokens: Count | None = None
    cached_input_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    tool_tokens: Count | None = None
    context: Annotated[dict[Text, Count], Meta(max_length=16)] | None = None
    cache: Literal["none", "prompt", "semantic", "response", "retrieval", "embedding"] | None = None
    avoided_input_tokens: Count | None = None
    avoided_output_tokens: Count | None = None
    service_tier: Literal["standard", "batch", "flex", "priority"] | None = None
    status: Literal["ok", "error", "timeout", "cancelled", "blocked"] | None = None
    finish_reason: Text | None = None
    latency_ms: Small | None = None
    retrieved_chunks: Small | None = None
    user: Text | None = None
    user_tier: Text | None = None
    team: Text | None = None
    application: Text | None = None
    customer: Text | None = None
    session: Text | None = None
    campaign: Text | None = None
    channel: Text | None = None
    tags: Annotated[dict[Text, Text], Meta(max_length=32)] | None = None
    cost_usd: Decimal | None = None

    @property
    def is_measured(self) -> bool:
        """Whether its token counts are known. A blocked call never happened: nothing is known, and nothing was used."""
        if self.status == "blocked":
            return True
        if self.input_tokens is None:
            return self.output_tokens is None and bool(self.units)
        return self.output_tokens is not None or (self.operation or "") not in TEXT_OPERATIONS


class Refusal(Exception):
    """Why one event is refused: a stable code and a sentence for the sender."""

    def __init__(self, code: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.field = code, detail, field


UUID_7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_encoder = msgspec.json.Encoder(order="deterministic")


def content_key(event: Event) -> str:
    """BLAKE2b of the canonical form, 16 bytes as hex: fields in our order, members sorted; layout does not matter."""
    return hashlib.blake2b(_encoder.encode(event), digest_size=16).hexdigest()


def identity_key(event_id: str) -> str:
    """16 bytes as hex. A UUIDv7 is its own key, because ordered keys write a tenth of the log; others are hashed.

    Only the one canonical spelling of a UUID counts, so that two different ids never share a key by spelling.
    """
    if len(event_id) == 36 and event_id[14] == "7" and UUID_7.match(event_id):
        return event_id.replace("-", "")
    return hashlib.blake2b(event_id.encode(), digest_size=16).hexdigest()


def check(event: Event, now: datetime, oldest: datetime) -> None:
    """Raise Refusal for what cannot be true. `oldest` is the ledger's horizon."""
    if event.time > now + MAX_AHEAD:
        raise Refusal("time-in-future", f"time is more than 24 hours ahead of {now:%Y-%m-%dT%H:%M:%SZ}.", "time")
    if event.time < oldest:
        raise Refusal("too-old", f"time is before {oldest:%Y-%m-%d}, the oldest day that is kept.", "time")
    parts = (event.cached_input_tokens or 0) + (event.cache_write_tokens or 0)
    if parts and parts > (event.input_tokens or 0):
        raise Refusal(
            "cached-above-input",
            "cached_input_tokens and cache_write_tokens are part of input_tokens, so together they cannot be more.",
            "cached_input_tokens",
        )
    if event.reasoning_tokens and event.reasoning_tokens > (event.output_tokens or 0):
        raise Refusal(
            "reasoning-above-output",
            "reasoning_tokens are part of output_tokens and cannot be more.",
            "reasoning_tokens",
        )
    if event.tool_tokens and event.tool_tokens > (event.input_tokens or 0):
        raise Refusal("tool-above-input", "tool_tokens are part of input_tokens and cannot be more.", "tool_tokens")
    for name, amount in (event.units or {}).items():
        if not is_amount(amount, MAX_TOKENS):
            raise Refusal("bad-unit", f"units.{name} must be a number from 0 to {MAX_TOKENS}.", "units")
    if event.cost_usd is not None and not is_amount(event.cost_usd, MAX_COST):
        raise Refusal("bad-cost", f"cost_usd must be an amount from 0 to {MAX_COST} dollars.", "cost_usd")


def is_amount(value: Decimal, most: Decimal | int) -> bool:
    """From 0 to `most`, with at most 24 decimals: exact arithmetic on 1e-999999 would keep a processor busy."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and -24 <= exponent <= 12 and 0 <= value <= most


def in_utc(event: Event) -> Event:
    """The event with its time in UTC, as everything inside is; the same moment then has one spelling."""
    if event.time.tzinfo is UTC:
        return event
    try:
        return msgspec.structs.replace(event, time=event.time.astimezone(UTC))
    except (OverflowError, ValueError):
        raise Refusal("bad-time", "time is outside the calendar.", "time") from None


def holds_unstorable_text(value: Any) -> bool:
    """Whether a NUL or a lone surrogate hides in any string: PostgreSQL stores neither."""
    if isinstance(value, str):
        return "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, dict):
        return any(holds_unstorable_text(part) for pair in value.items() for part in pair)
    if isinstance(value, Struct):
        return any(holds_unstorable_text(getattr(value, name)) for name in value.__struct_fields__)
    return False
