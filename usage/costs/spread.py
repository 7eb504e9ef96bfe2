"""An amount over its days: evenly, exact to the nano-dollar. Pure.

Every day has the same share; what does not divide goes one nano-dollar each to the first days (largest remainder, all
remainders being alike). So any stretch of days has an exact sum without listing its days, and stretches that follow
each other add up to the amount. Amounts below zero (credits) go by the same rule.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

DAY = timedelta(days=1)


def until(amount: int, days: int, count: int) -> int:
    """What the first `count` of `days` days come to."""
    each, rest = divmod(amount, days)
    return each * count + min(count, rest)


def within(amount: int, first: date, last: date, since: date, to: date) -> int:
    """What of the amount for `first` to `last` falls on `since` to `to`; all bounds included."""
    start, stop = max(first, since), min(last, to)
    if stop < start:
        return 0
    days = (last - first).days + 1
    return until(amount, days, (stop - first).days + 1) - until(amount, days, (start - first).days)


def by_month(amount: int, first: date, last: date, since: date, to: date) -> Iterator[tuple[date, int]]:
    """Each month (its first day) of `since` to `to` that the amount counts in, with its share of it."""
    start, stop = max(first, since), min(last, to)
    while start <= stop:
        ends = min(month_end(start), stop)
        yield start.replace(day=1), within(amount, first, last, start, ends)
        start = ends + DAY


def month_end(day: date) -> date:
    """The last day of the month of `day`."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def months_on(day: date, months: int) -> date:
    """The same day so many months later; the last one where that month is shorter."""
    number = day.year * 12 + day.month - 1 + months
    year, month = divmod(number, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def following(first: date, last: date, months: int) -> tuple[date, date]:
    """The days of the same cost so many months later: whole months stay whole, a month's length stays a month's."""
    if first.day == 1 and last == month_end(last):
        return months_on(first, months), month_end(months_on(last.replace(day=1), months))
    if last == months_on(first, 1) - DAY:
        return months_on(first, months), months_on(first, months + 1) - DAY
    start = months_on(first, months)
    return start, start + (last - first)
