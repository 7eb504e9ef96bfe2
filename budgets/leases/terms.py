"""How much a lease is of, how long it lasts, and what it still reserves. Pure.

Amounts are nano-dollars, calls or tokens, as the kind says.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from budgets.limits.calendar import day_of, period_bounds

MONEY, CALLS, TOKENS = "money", "calls", "tokens"
LASTS = timedelta(seconds=60)
GRACE = timedelta(minutes=5)  # after its end: for events that are on their way
MINUTE = timedelta(minutes=1)
SHARE = 20  # without a wish: one part in so many of what is free
LEAST = {MONEY: 10_000_000, CALLS: 1, TOKENS: 1_000}


@dataclass(frozen=True, slots=True)
class Window:
    """From `starts_at` up to, not including, `ends_at`: what a limit is counted over."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Times:
    """When a lease ends, and from when on it reserves nothing whatever became of its calls."""

    expires_at: datetime
    held_until: datetime


def granted(kind: str, free: int, wished: int | None, at_least: int | None) -> int | None:
    """How much of what is free is given; None where there is nothing, or less than one call needs.

    `wished` is a wish, `at_least` what one call needs. Without a wish a twentieth is given, rounded up, so that one
    caller leaves something for others; but never so little that each call would have to ask.
    """
    if free <= 0 or (at_least is not None and free < at_least):
        return None
    wanted = wished if wished is not None else max(-(-free // SHARE), LEAST[kind])
    return min(free, max(wanted, at_least or 1))


def reserves(amount: int, used: int | None, charged: int) -> int:
    """What a lease still reserves while it is held: of its amount, or of what its caller said it used, the rest that
    was not charged yet. Never negative."""
    return max(0, min(amount, amount if used is None else used) - charged)


def times_of(kind: str, now: datetime, window: Window) -> Times:
    """Of a lease that begins, or is renewed, now."""
    if kind == CALLS:
        return Times(window.ends_at, window.ends_at)
    expires_at = min(now + LASTS, window.ends_at)
    return Times(expires_at, expires_at + GRACE)


def minute_of(now: datetime) -> Window:
    """The minute of the clock."""
    starts_at = now.astimezone(UTC).replace(second=0, microsecond=0)
    return Window(starts_at, starts_at + MINUTE)


def day_window(now: datetime, zone: ZoneInfo) -> Window:
    """The organisation's day: 23 or 25 hours where the clocks change."""
    period = period_bounds("day", day_of(now, zone), zone)
    return Window(period.starts_at, period.ends_at)
