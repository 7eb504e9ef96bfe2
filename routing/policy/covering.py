"""Whether one rule's conditions hold for every call that another's hold for. Pure."""

from decimal import Decimal
from functools import lru_cache

from routing.policy.document import LISTS, SPANS, Conditions, Span, TimeOfDay
from routing.policy.shape import number

DAY = 24 * 60  # minutes
WEEK = 7 * DAY
WHOLE_WEEK = (1 << WEEK) - 1
EVERY_DAY = range(1, 8)
Interval = tuple[Decimal, Decimal | None]  # from, below; None: no end


def covers(wide: Conditions, narrow: Conditions) -> bool:
    """Whether `wide` holds whenever `narrow` does, judged condition by condition.

    Two earlier rules that together leave nothing over are not seen.
    """
    for name in LISTS:
        allowed: list[str] = getattr(wide, name)
        named: list[str] = getattr(narrow, name)
        if allowed and not (named and all(one in allowed for one in named)):
            return False
    for name in SPANS:
        outer, inner = getattr(wide, name), getattr(narrow, name)
        if outer is not None and not (inner is not None and _within(_interval(outer), _interval(inner))):
            return False
    if wide.time_of_day is None:
        return True
    return narrow.time_of_day is not None and not minutes(narrow.time_of_day) & ~minutes(wide.time_of_day)


def is_empty(span: Span) -> bool:
    """Whether nothing can lie in it."""
    start, end = _interval(span)
    return end is not None and start >= end


def minutes(time: TimeOfDay) -> int:
    """The minutes of the week in which it holds, a bit for each; a span over midnight belongs to its first day."""
    return _minutes(time.start, time.to, tuple(time.days or EVERY_DAY))


@lru_cache(maxsize=1024)  # each rule is held against all before it
def _minutes(begins: str, ends: str, days: tuple[int, ...]) -> int:
    start, end = _minute(begins), _minute(ends)
    span = (1 << ((end - start) % DAY or DAY)) - 1
    held = 0
    for day in days:
        held |= span << ((day - 1) * DAY + start)
    return held & WHOLE_WEEK | held >> WEEK  # what is over after Sunday is Monday's


def _minute(clock: str) -> int:
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


def _interval(span: Span) -> Interval:
    start = number(span.at_least) if span.at_least is not None else Decimal(0)
    return start, None if span.below is None else number(span.below)


def _within(outer: Interval, inner: Interval) -> bool:
    if inner[0] < outer[0]:
        return False
    return outer[1] is None or (inner[1] is not None and inner[1] <= outer[1])
