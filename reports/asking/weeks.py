"""A long chart by weeks: hundreds of days beside each other are thinner than what tells them apart. Pure."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from budgets.pages.moments import day_year, span_year

MOST_DAYS = 120  # drawn one by one; more are drawn by weeks
WEEK = 7


def weeks_of(days: int) -> list[slice]:
    """Which of so many complete days are a week: seven each, counted back from the last. None where few are drawn."""
    if days <= MOST_DAYS:
        return []
    return [slice(max(0, stop - WEEK), stop) for stop in range(days % WEEK or WEEK, days + 1, WEEK)]


def summed(values: Sequence[int], weeks: Sequence[slice]) -> list[int]:
    """The sum of each week, of unrounded amounts."""
    return [sum(values[one]) for one in weeks]


def labels_of(days: Sequence[date], weeks: Sequence[slice]) -> dict[str, Any]:
    """What the chart says of each week: its first day on the axis, both ends when pointed at; days of the `first`."""
    ends = [(days[one][0], days[one][-1]) for one in weeks]
    return {
        "labels": [day_year(first) for first, _ in ends],
        "full": [span_year(first, last) for first, last in ends],
        "iso": [first.isoformat() for first, _ in ends],
        "today": len(ends) - 1,
        "first": (ends[0][1] - ends[0][0]).days + 1,
    }
