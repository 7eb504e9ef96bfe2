"""A forecast as the chart and the table have it: the running total of the period, and the days ahead. No queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from budgets.currency.shown import shown
from budgets.pages.amounts import drawn
from budgets.pages.moments import axis_days, clock, weekday
from reports.models import Outlook
from reports.outlook.towards import towards

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
    steps = outlook.steps[:count]
    days = [outlook.made_for + n * DAY for n in range(len(steps))]
    _, labels = axis_days(days)
    return [
        Step(label, one.isoformat(), tuple(numbers)) for label, one, numbers in zip(labels, days, steps, strict=True)
    ]


def hours_ahead(outlook: Outlook, zone: ZoneInfo) -> list[Step]:
    """The hours that are forecast, by the clock of the organisation's zone."""
    found = []
    for n, numbers in enumerate(outlook.steps):
        at: datetime = (outlook.starts_at + n * HOUR).astimezone(zone)
        found.append(Step(f"{weekday(at.date())}, {clock(at)}", at.isoformat(), tuple(numbers)))
    return found


def is_drawn(outlook: Outlook) -> bool:
    """Whether there is a chart: a forecast, of a period that has more than the one day that a sentence says."""
    return bool(outlook.landing and outlook.period_first != outlook.period_end)


def chart(outlook: Outlook, used: Sequence[int], landing: Sequence[int], limit: int | None) -> dict[str, Any]:
    """The period's running total, where it leads, and the likely range; `used` are its complete days so far.

    The middle and the edges run to the landing's own figures, so that the chart ends where the sentence does.
    """
    assert outlook.period_first and outlook.period_end
    money = outlook.metric == "money"

    def number(value: int) -> float:
        return drawn(value) if money else float(value)

    days = [outlook.period_first + n * DAY for n in range((outlook.period_end - outlook.period_first).days + 1)]
    labels, full = axis_days(days)
    left = len(days) - len(used)
    steps = outlook.steps[:left]
    spent = sum(used)
    actual, total = [], 0
    for one in used:
        total += one
        actual.append(number(total))

    def led(place: int) -> list[float]:
        return [number(one) for one in towards(spent, landing[place], [numbers[0] for numbers in steps])]

    return {
        "currency": shown().code,
        "unit": "" if money else outlook.metric,
        "locale": "en-US",
        "labels": labels,
        "full": full,
        "iso": [one.isoformat() for one in days],
        "today": len(used) - 1,
        "series": [{"name": "Spent", "slot": 1, "values": [number(one) for one in used]}],
        "compare": None,
        "total": {
            "label": "Spent",
            "actual": actual,
            "aheadLabel": "Expected",
            "ahead": led(0),
            "lo": led(1),
            "hi": led(2),
            "loLabel": "Likely at least",
            "hiLabel": "Likely at most",
            "plan": None if limit is None else number(limit),
            "planLabel": "Limit",
        },
    }


def first_shown(outlook: Outlook) -> date:
    return outlook.period_first or outlook.made_for
