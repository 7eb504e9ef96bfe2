"""A forecast as the chart and the table have it: the running total of the period, and the days ahead. No queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from budgets.currency.shown import shown
from budgets.pages.amounts import drawn
from budgets.pages.moments import clock, day, weekday
from reports.models import Outlook

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Step:
    """One day or hour ahead: finished label, machine-readable time, and the five numbers."""

    label: str
    iso: str
    numbers: tuple[int, int, int, int, int]


def days_ahead(outlook: Outlook, most: int = 35) -> list[Step]:
    """The days that are forecast, up to the period's end or `most`."""
    count = max(most, (outlook.period_end - outlook.made_for).days + 1 if outlook.period_end else 0)
    return [
        Step(weekday(one), one.isoformat(), tuple(numbers))
        for n, numbers in enumerate(outlook.steps[:count])
        for one in (outlook.made_for + n * DAY,)
    ]


def hours_ahead(outlook: Outlook, zone: ZoneInfo) -> list[Step]:
    """The hours that are forecast, by the clock of the organisation's zone."""
    found = []
    for n, numbers in enumerate(outlook.steps):
        at: datetime = (outlook.starts_at + n * HOUR).astimezone(zone)
        found.append(Step(f"{weekday(at.date())}, {clock(at)}", at.isoformat(), tuple(numbers)))
    return found


def chart(outlook: Outlook, used: Sequence[int], landing: Sequence[int], limit: int | None) -> dict[str, Any]:
    """The period's running total, where it leads, and the likely range; `used` are its complete days so far.

    The middle and the edges run to the landing's own figures, so that the chart ends where the sentence does.
    """
    assert outlook.period_first and outlook.period_end
    money = outlook.metric == "money"

    def number(value: int) -> float:
        return drawn(value) if money else float(value)

    days = [outlook.period_first + n * DAY for n in range((outlook.period_end - outlook.period_first).days + 1)]
    left = len(days) - len(used)
    steps = outlook.steps[:left]
    spent = sum(used)
    running: list[int] = []
    for numbers in steps:
        running.append((running[-1] if running else 0) + numbers[0])
    whole = running[-1] if running else 0
    actual, total = [], 0
    for one in used:
        total += one
        actual.append(number(total))

    def towards(place: int) -> list[float]:
        """A line that has the shape of the expected days and ends at the landing's number."""
        goal = landing[place] - spent
        shares = [Share(part, whole, n + 1, len(running)) for n, part in enumerate(running)]
        return [number(spent + share.of(goal)) for share in shares]

    return {
        "currency": shown().code,
        "unit": "" if money else outlook.metric,
        "locale": "en-US",
        "labels": [day(one) for one in days],
        "full": [weekday(one) for one in days],
        "iso": [one.isoformat() for one in days],
        "today": len(used) - 1,
        "series": [{"name": "Spent", "slot": 1, "values": [number(one) for one in used]}],
        "compare": None,
        "total": {
            "label": "Spent",
            "actual": actual or [0],
            "aheadLabel": "Expected",
            "ahead": towards(0),
            "lo": towards(1),
            "hi": towards(2),
            "loLabel": "Likely at least",
            "hiLabel": "Likely at most",
            "plan": None if limit is None else number(limit),
            "planLabel": "Limit",
        },
    }


@dataclass(frozen=True, slots=True)
class Share:
    """How far a line has come: by the expected days, or evenly where nothing is expected."""

    part: int
    whole: int
    place: int
    count: int

    def of(self, goal: int) -> int:
        return goal * self.part // self.whole if self.whole > 0 else goal * self.place // self.count


def first_shown(outlook: Outlook) -> date:
    return outlook.period_first or outlook.made_for
