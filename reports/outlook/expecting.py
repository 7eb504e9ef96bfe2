"""From one history to what is expected: steps, the landing of a period, the day a limit is used up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from reports.forecast.ensemble import Forecast, forecast
from reports.forecast.history import TooShort
from reports.forecast.ranges import Ranges

DAY = timedelta(days=1)
WEEK = 7
DAYS_NEEDED = 14  # complete days since the first use: two weeks, as the forecaster needs two seasons
LEAST_DAYS, MOST_DAYS = 35, 400  # that are forecast
HOURS_AHEAD, DAY_OF_HOURS = 48, 24
Five = list[int]  # expected, low 80, high 80, low 95, high 95


@dataclass(frozen=True, slots=True)
class Expected:
    """What `reports.models.Outlook` keeps; lists are empty and days None where nothing can be said."""

    steps: list[Five]
    week: Five
    landing: Five
    runs_out: list[str | None]
    known: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What is planned: each day's use times `factors`, and `more` added to it; days beyond are as usual."""

    factors: Sequence[float] = ()
    more: Sequence[float] = ()


def expect_days(
    values: Sequence[float],
    today: date,
    period_end: date,
    spent: int,
    limit: int | None,
    changes: Changes = Changes(),
) -> Expected | None:
    """From complete days up to yesterday. `spent` of the period is known before today; `limit` is a budget's.

    None where there are too few.
    """
    to_end = (period_end - today).days + 1
    ahead = min(max(LEAST_DAYS, to_end), MOST_DAYS)
    found = _forecast(values, ahead, WEEK)
    if found is None:
        return None
    found = changed(found, changes)
    landing = [0] * 5
    runs_out: list[str | None] = []
    if to_end > 0:
        landing = [spent + one for one in _total(found, min(to_end, ahead))]
        if to_end > ahead:  # a period that ends beyond the horizon goes on as its last four weeks
            more = _more(found, ahead, to_end - ahead)
            landing = [one + extra for one, extra in zip(landing, more, strict=True)]
        if limit is not None:
            runs_out = _runs_out(found, today, min(to_end, ahead), limit - spent)
    return Expected(_steps(found), _total(found, WEEK), landing, runs_out, len(values))


def changed(found: Forecast, changes: Changes) -> Forecast:
    """With what is planned: a factor moves the ranges along, what is added moves them up or down."""
    size = len(found.mean)
    factors, more = np.ones(size), np.zeros(size)
    factors[: len(changes.factors)] = list(changes.factors)[:size]
    more[: len(changes.more)] = list(changes.more)[:size]
    if not more.any() and (factors == 1).all():
        return found
    extra = np.cumsum(found.mean * (factors - 1) + more)
    rows = (found.mean, found.lo80, found.hi80, found.lo95, found.hi95)
    mean, lo80, hi80, lo95, hi95 = (np.maximum(row * factors + more, np.minimum(row, 0)) for row in rows)
    sums = Ranges(*(np.maximum.accumulate(np.maximum(row + extra, 0)) for row in found.sums))
    return Forecast(mean, lo80, hi80, lo95, hi95, sums, found.weights, found.tests)


def usual_days(values: Sequence[float], days: int) -> Sequence[float]:
    """What is expected of each day without plans; zeros where there are too few complete days."""
    found = _forecast(values, days, WEEK)
    return [0.0] * days if found is None else [float(one) for one in found.mean]


def expect_hours(values: Sequence[float]) -> Expected | None:
    """From complete hours up to the last; None where there are too few."""
    found = _forecast(values, HOURS_AHEAD, DAY_OF_HOURS)
    return None if found is None else Expected(_steps(found), [], [], [], len(values))


def ready_on(began: date | None, today: date) -> date:
    """The first day on which there are enough complete days; counted from today where nothing was used yet."""
    return (began or today) + DAYS_NEEDED * DAY


def _forecast(values: Sequence[float], ahead: int, season: int) -> Forecast | None:
    try:
        return forecast(values, ahead, season)
    except TooShort:
        return None


def _steps(found: Forecast) -> list[Five]:
    rows = (found.mean, found.lo80, found.hi80, found.lo95, found.hi95)
    return [[round(float(value)) for value in step] for step in zip(*rows, strict=True)]


def _total(found: Forecast, steps: int) -> Five:
    total = found.total(steps)
    return [round(one) for one in (total.mean, total.lo80, total.hi80, total.lo95, total.hi95)]


def _more(found: Forecast, ahead: int, days: int) -> Five:
    """What so many days beyond the horizon come to, at the rate of its last four weeks."""
    whole, before = _total(found, ahead), _total(found, ahead - 28)
    return [max(0, (one - less) * days // 28) for one, less in zip(whole, before, strict=True)]


def _runs_out(found: Forecast, today: date, steps: int, left: int) -> list[str | None]:
    """The day by whose end the running sum has used `left` up: expected, at the earliest, at the latest."""
    sums = found.sums
    days: list[str | None] = []
    for running in (sums.mean, sums.hi80, sums.lo80):
        place = next((n for n in range(steps) if running[n] >= left), None)
        days.append(None if place is None else (today + place * DAY).isoformat())
    return days
