"""The message that says what became of a run, and what makes one impossible. Pure: no Django, no models."""

import hashlib
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from usage.ingest.event import MAX_AHEAD, NANO, SLUG, Refusal, Text, holds_unstorable_text

MAX_REVIEW = Decimal(100_000)  # minutes that one review took: over two months
MAX_SAVED = Decimal(10_000_000)  # minutes that one run saved
MAX_REVENUE = Decimal(100_000_000)  # US dollars that one run brought
MAX_CASES = 1_000_000
BEST_SCORE = 5
LONGEST = 128  # characters of an id
RunId = Annotated[str, Meta(min_length=1, max_length=LONGEST)]


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of one run. Minutes and the score with at most two decimals. Unknown members are ignored."""

    outcome: Literal["completed", "approved", "rejected", "reworked", "shipped", "failed"]
    run_id: RunId | None = None
    workflow: Annotated[str, Meta(pattern=SLUG, max_length=128)] | None = None
    id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    source: Text | None = None
    time: Annotated[datetime, Meta(tz=True)] | None = None
    reviewer: Text | None = None
    review_minutes: Decimal | None = None
    satisfaction: Decimal | None = None
    misrouted: bool | None = None
    revenue_usd: Decimal | None = None
    minutes_saved: Decimal | None = None
    cases: Annotated[int, Meta(ge=0, le=MAX_CASES)] | None = None
    asset: Annotated[str, Meta(max_length=500)] | None = None


_encoder = msgspec.json.Encoder(order="deterministic")


def content_key(message: Outcome) -> str:
    """BLAKE2b of the canonical form, 16 bytes as hex; 4.50 and 4.5 are the same."""
    plain = {name: getattr(message, name) for name in message.__struct_fields__}
    said = {name: _plain(value) for name, value in plain.items() if value is not None}
    return hashlib.blake2b(_encoder.encode(said), digest_size=16).hexdigest()


def _plain(value: object) -> object:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def check(message: Outcome) -> None:
    """Raise Refusal for what cannot be stored or is beyond belief; addresses and headers are checked here only."""
    if not message.run_id:
        raise Refusal("invalid", "run_id is missing: say which run this is about.", "run_id")
    if len(message.run_id) > LONGEST or len(message.id or "") > LONGEST:
        field = "id" if len(message.run_id) <= LONGEST else "run_id"
        raise Refusal("invalid", f"{field} has more than {LONGEST} characters.", field)
    if message.workflow is not None and not (len(message.workflow) <= LONGEST and re.fullmatch(SLUG, message.workflow)):
        raise Refusal("invalid", "workflow is no short name such as seo-briefs.", "workflow")
    if holds_unstorable_text(message):
        raise Refusal("bad-text", "A text holds a NUL or half a surrogate pair, which cannot be stored.")
    for name, most, places in (
        ("review_minutes", MAX_REVIEW, 2),
        ("satisfaction", BEST_SCORE, 2),
        ("minutes_saved", MAX_SAVED, 2),
        ("revenue_usd", MAX_REVENUE, 9),
    ):
        value = getattr(message, name)
        if value is not None and not is_amount(value, most, places):
            raise Refusal("bad-amount", f"{name} must be from 0 to {most:,}, with at most {places} decimals.", name)


def is_amount(value: Decimal, most: Decimal | int, places: int) -> bool:
    """From 0 to `most` with so many decimals; idle zeros do not count."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or not -24 <= exponent <= 12 or not 0 <= value <= most:
        return False
    return value == round(value, places)


def decided_at(message: Outcome, now: datetime, oldest: datetime) -> datetime:
    """When it was decided, in UTC: now where it does not say. Refusal where that cannot be."""
    if message.time is None:
        return now
    try:
        time = message.time.astimezone(UTC)
    except (OverflowError, ValueError):
        raise Refusal("bad-time", "time is outside the calendar.", "time") from None
    if time > now + MAX_AHEAD:
        raise Refusal("time-in-future", f"time is more than 24 hours ahead of {now:%Y-%m-%dT%H:%M:%SZ}.", "time")
    if time < oldest:
        raise Refusal("too-old", f"time is before {oldest:%Y-%m-%d}, the oldest day that is kept.", "time")
    return time


def nano(dollars: Decimal | None) -> int | None:
    """Nano-dollars; `check` has seen that there are no smaller parts."""
    return None if dollars is None else int(dollars * NANO)
