"""What the browser draws of the spend by model and day: finished texts, amounts in the currency shown. Pure."""

from collections.abc import Sequence
from typing import Any

from budgets.pages.amounts import drawn
from budgets.pages.moments import axis_days
from reports.asking.weeks import labels_of, summed, weeks_of
from reports.outlook.towards import towards
from reports.overview.spend import Ahead, Flag, Spend


def chart(
    spend: Spend,
    *,
    currency: str,
    before: Sequence[int] = (),
    landing: int | None = None,
    plan: int | None = None,
    plan_label: str = "Plan",
    how: str = "At an even pace",
    forecast: Ahead | None = None,
    flags: Sequence[Flag] = (),
) -> dict[str, Any]:
    """What the browser draws. Labels are finished text; amounts are rounded to cents, totals unrounded first.

    `before` holds the cost of each complete day compared with. `landing` is what it comes to by the last day,
    which rests on `how`; `forecast` has its likely range and days, where it is one. `flags` stand over their days.
    `weeks` has the days by weeks, where those are what is drawn.
    """
    window = spend.window
    complete = window.complete_days
    daily = spend.by_day[:complete] if spend.series else (0,) * complete
    labels, full = axis_days(window.days)
    steps = forecast.days if forecast else ()
    place = {one: i for i, one in enumerate(window.days[:complete])}

    def led(goal: int | None) -> list[float]:  # evenly where no day is forecast
        if goal is None:
            return []
        expected = [one.middle for one in steps] or [0] * (len(window.days) - complete)
        return [drawn(one) for one in towards(sum(daily), goal, expected)]

    return {
        "currency": currency,
        "locale": "en-US",
        "labels": labels,
        "full": full,
        "iso": [one.isoformat() for one in window.days],
        "today": complete - 1,
        "series": [
            {"name": one.name, "slot": one.slot, "values": [drawn(v) for v in one.values[:complete]]}
            for one in spend.series
        ],
        "weeks": by_week(spend),
        "forecast": days_to_come(forecast),
        "flags": [{"i": place[one.day], "label": one.words, "short": one.short} for one in flags if one.day in place],
        "compare": {"label": window.before_name, "values": running(before)} if any(before) else None,
        "total": {
            "label": "Spent",
            "actual": running(daily),
            "aheadLabel": how,
            "ahead": led(landing),
            "lo": led(forecast.low) if forecast else [],
            "hi": led(forecast.high) if forecast else [],
            "loLabel": "Likely at least",
            "hiLabel": "Likely at most",
            "plan": None if plan is None else drawn(plan),
            "planLabel": plan_label,
        },
        "sum": drawn(spend.total),
    }


def days_to_come(forecast: Ahead | None) -> dict[str, Any] | None:
    """The days of the forecast with their likely range; None where it has none."""
    if not forecast or not forecast.days:
        return None
    return {
        "label": "Forecast",
        "mid": [drawn(one.middle) for one in forecast.days],
        "lo": [drawn(one.low) for one in forecast.days],
        "hi": [drawn(one.high) for one in forecast.days],
    }


def by_week(spend: Spend) -> dict[str, Any] | None:
    """What is drawn instead of so many days that they could not be told apart; None of few."""
    if not (weeks := weeks_of(spend.window.complete_days)):
        return None
    return labels_of(spend.window.days, weeks) | {
        "series": [
            {"name": one.name, "slot": one.slot, "values": [drawn(v) for v in summed(one.values, weeks)]}
            for one in spend.series
        ],
        "forecast": None,
        "flags": [],
    }


def running(values: Sequence[int]) -> list[float]:
    """The running total of nano-dollars, in the currency shown."""
    total, out = 0, []
    for value in values:
        total += value
        out.append(drawn(total))
    return out
