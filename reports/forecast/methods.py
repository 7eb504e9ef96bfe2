"""Which methods forecast which history, and what each says at each origin. Pure.

The pools were chosen on half of two public collections (`benchmarks/forecast.py`): hours by forward selection, days by
origins months before the end. Leaving any one method out changes the error there by less than 2 %: it is their number
and difference that carries the forecast. `benchmarks/forecast_choice.py` chooses anew on halves and compares.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reports.forecast.floats import Floats
from reports.forecast.history import FINE, History
from reports.forecast.profiles import alike, as_last_year, level_and_course, repeated, with_last_year
from reports.forecast.regression import Lagged, lagged
from reports.forecast.smoothing import Smoothed, smoothed

WEEKS_TO_LEARN = 12.0  # weeks of days after which a regression on them counts half as much as a profile
LOWEST = 0.02  # of the middle value: what a logarithm takes a smaller value for


@dataclass(frozen=True)
class Said:
    """What each of `names` said: `ahead` is methods x origins x horizon. `before` is how much each counts before its
    errors are known."""

    names: tuple[str, ...]
    ahead: Floats
    before: Floats


def candidates(history: History, origins: tuple[int, ...], horizon: int) -> Said:
    """Forecasts of each method in the pool of this history, from each origin, by what was before it."""
    values, season, long = history.clean, history.season, history.long
    found: dict[str, Floats] = {}
    regressions = of_hours(season, long or 7 * season) if season >= FINE else of_days(season, long or 52 * season)
    for name, how in regressions.items():
        if allowed(history, how.power):
            there, back = to_power(values, how.power)
            found[name] = back(lagged(there, origins, horizon, season, how))
    smoothings = {name: how for name, how in SMOOTHINGS[season >= FINE].items() if allowed(history, how.power)}
    ways = [to_power(values, how.power) for how in smoothings.values()]
    outer = long if season >= FINE else 0
    rows = smoothed([there for there, _ in ways], origins, horizon, season, outer, list(smoothings.values()))
    for place, name in enumerate(smoothings):
        found[name] = ways[place][1](rows[:, place])
    profiles = profiles_of_hours if season >= FINE else profiles_of_days
    found.update(profiles(history, origins, horizon))
    lowest = 0.0 if (values >= 0).all() else -np.inf
    learnt = len(values) / season
    doubt = learnt / (learnt + WEEKS_TO_LEARN) if season < FINE else 1.0
    before = np.array([doubt if name in regressions else 1.0 for name in found])
    return Said(tuple(found), np.maximum(np.stack(list(found.values())), lowest), before)


def of_hours(season: int, long: int) -> dict[str, Lagged]:
    """Regressions for a day within a week. Lags beyond what the history holds are left out when fitted."""
    near = (1, 2, 3, season - 1, season, season + 1, 2 * season, 2 * season + 1)
    week = (long - season - 1, long - season, long - season + 1, long - 1, long, long + 1)
    few = (1, season, season + 1, long, long + 1)
    some = (1, 2, season, season + 1, season + 2, long, long + 1, long + 2)
    days = [at for day in range(1, long // season + 1) for at in (day * season - 1, day * season, day * season + 1)]
    return {
        "lags, root, fading": Lagged(near + week, half_life=2.0 * long, power=0.5),
        "lags, log": Lagged(near + week, ridge=0.1, season_ridge=0.1, power=0.0),
        "lags": Lagged(near + week),
        "few lags": Lagged(few),
        "some lags, root": Lagged(some, power=0.5),
        "every day, log": Lagged((1, 2, 3, 4, 5, *days), power=0.0),
    }


def of_days(season: int, year: int) -> dict[str, Lagged]:
    """Regressions for a week within a year."""
    week = tuple(range(1, season + 1))
    month, quarter, half = 4 * season, 13 * season, 26 * season
    slow = Lagged((1, 2, season, year), (season, month, quarter, half), ridge=20.0)
    return {
        "levels": slow,
        "levels, root": Lagged(slow.lags, slow.means, ridge=20.0, power=0.5),
        "seasons": Lagged((season, 2 * season, year), (month, quarter), ridge=10.0, season_ridge=1.0),
        "week": Lagged((*week, 2 * season, 3 * season, year - season, year, year + season), (month,), ridge=10.0),
    }


SMOOTHINGS: dict[bool, dict[str, Smoothed]] = {
    True: {"smoothing, log": Smoothed(0.05, 0.2, 0.1, 0.0, 0.0), "smoothing": Smoothed(0.05, 0.2, 0.1, 0.0)},
    False: {"smoothing": Smoothed(0.05, 0.1, 0.0, 0.3), "quick smoothing": Smoothed(0.15, 0.1, 0.0, 0.3)},
}


def profiles_of_hours(history: History, origins: tuple[int, ...], horizon: int) -> dict[str, Floats]:
    """Weeks, days, and what followed days like the last."""
    values, season, long = history.clean, history.season, history.long
    found = {
        "last day": repeated(values, origins, horizon, season, 1),
        "last week of days": repeated(values, origins, horizon, season, 7, middle=True),
        "like the last day": alike(values, origins, horizon, season, season, 5),
    }
    if allowed(history, 0.0):
        there, back = to_power(values, 0.0)
        found["like the last quarter, log"] = back(alike(there, origins, horizon, season, season // 4, 5))
    if long:
        found["four weeks"] = repeated(values, origins, horizon, long, 4)
        found["middle of four weeks"] = repeated(values, origins, horizon, long, 4, middle=True)
        found["like the last week"] = alike(values, origins, horizon, season, long, 3)
    return found


def profiles_of_days(history: History, origins: tuple[int, ...], horizon: int) -> dict[str, Floats]:
    """Weekdays of the last weeks, and the course of last year."""
    values, season, year = history.clean, history.season, history.long
    found = {
        f"middle of {weeks}": repeated(values, origins, horizon, season, weeks, middle=True)
        for weeks in (4, 8, 26)
        if min(origins) >= weeks * season or weeks == 4
    }
    if year:
        for share in (0.4, 0.8):
            found[f"last year's course, {share}"] = with_last_year(values, origins, horizon, season, year, share)
        for weeks in (8, 13, 26):
            found[f"as last year, {weeks}"] = as_last_year(values, origins, horizon, season, year, weeks)
            found[f"level and course, {weeks}"] = level_and_course(values, origins, horizon, season, year, weeks)
    return found


def allowed(history: History, power: float) -> bool:
    """Roots need values that are not negative, logarithms values above zero."""
    lowest = history.clean.min()
    return power == 1 or (power > 0 and lowest >= 0) or (lowest >= 0 and history.zeros == 0)


def to_power(values: Floats, power: float) -> tuple[Floats, Callable[[Floats], Floats]]:
    """The values to the power (0: their logarithm), and the way back."""
    if power == 1:
        return values, np.asarray
    if power == 0:
        return np.log(np.maximum(values, LOWEST * np.median(values))), np.exp
    return values**power, lambda there: np.maximum(there, 0.0) ** (1.0 / power)
