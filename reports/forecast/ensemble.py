"""The forecast of one series: methods, back-test, weights, ranges. Pure.

`docs/forecast.md` says in words what happens here; `benchmarks/forecast.py` measures how good it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.forecast.floats import Floats
from reports.forecast.history import FINE, History, prepared
from reports.forecast.methods import candidates
from reports.forecast.ranges import Ranges, step_ranges, sum_ranges
from reports.forecast.weights import weights

BACK_TESTS = {True: 15, False: 20}  # by FINE: origins, a season apart


@dataclass(frozen=True)
class Total:
    """The sum of the first steps of a forecast: expected, and its ranges."""

    mean: float
    lo80: float
    hi80: float
    lo95: float
    hi95: float


@dataclass(frozen=True)
class Forecast:
    """Each step ahead (arrays as long as the horizon, in the units of the history), and sums of steps by `total`.

    `mean` is what is expected. What comes lies between `lo80` and `hi80` four times of five, and between `lo95` and
    `hi95` nineteen times of twenty. Never below zero for a history that never was. `weights` says how much each
    method counted, largest first; `tests` how many origins of the back-test that rests on.
    """

    mean: Floats
    lo80: Floats
    hi80: Floats
    lo95: Floats
    hi95: Floats
    sums: Ranges
    weights: tuple[tuple[str, float], ...]
    tests: int

    def total(self, steps: int) -> Total:
        """The sum of the first `steps` (1 to the horizon). Its range is that of past sums, whose errors go together:
        it is neither the sum of the steps' ranges nor that of steps which err alone. Raises ValueError beyond."""
        if not 1 <= steps <= len(self.mean):
            raise ValueError(f"This forecast covers 1 to {len(self.mean)} steps, not {steps}.")
        at, sums = steps - 1, self.sums
        return Total(*(float(row[at]) for row in (sums.mean, sums.lo80, sums.hi80, sums.lo95, sums.hi95)))


def forecast(values: Sequence[float | None], horizon: int, season: int, *, seasons: tuple[int, ...] = ()) -> Forecast:
    """Forecast `horizon` steps after `values`, which are equally far apart; None or NaN is a gap.

    `season` is the number of steps after which things repeat (7 for days, 24 for hours), `seasons` names longer ones
    (168); without them a week is looked for in hours and a year in days. Raises TooShort below two known seasons,
    ValueError for a horizon or season below 1 and for infinite values. The same values give the same forecast, and
    values in other units the same in those.
    """
    if horizon < 1:
        raise ValueError("A forecast is for 1 step or more.")
    history = prepared(values, season, seasons)
    if history.stopped:
        return silent(history, horizon)
    unit = float(np.abs(history.clean).max())
    if unit == 0 or np.ptp(history.clean) == 0:
        return unchanging(history, horizon)
    scaled = History(history.raw / unit, history.clean / unit, season, history.long)
    origins = back_test(scaled)
    length = len(scaled.clean)
    said = candidates(scaled, (length, *origins), horizon)
    came = what_came(scaled.clean, origins, horizon)
    counts = weights(said.ahead[:, 1:] - came, said.before, season >= FINE)
    ahead = np.tensordot(counts, said.ahead, axes=1)
    real = what_came(scaled.raw, origins, horizon)
    steps, sums = step_ranges(scaled, ahead[0], real - ahead[1:]), sum_ranges(scaled, ahead[0], real - ahead[1:])
    order = sorted(zip(said.names, counts.tolist(), strict=True), key=lambda pair: -pair[1])
    return told(steps, sums, unit, tuple(order), len(origins))


def told(steps: Ranges, sums: Ranges, unit: float, order: tuple[tuple[str, float], ...], tests: int) -> Forecast:
    """In the units of the history."""
    mean, lo80, hi80, lo95, hi95 = (row * unit for row in steps)
    return Forecast(mean, lo80, hi80, lo95, hi95, Ranges(*(row * unit for row in sums)), order, tests)


def back_test(history: History) -> tuple[int, ...]:
    """Origins that leave at least a season to compare with and two (of the longer season one or two) to learn from."""
    length, season, long = len(history.clean), history.season, history.long
    fine = season >= FINE
    first = 2 * season
    if long:
        first = max(first, 2 * long if fine else long + 8 * season)
    count = min(BACK_TESTS[fine], (length - first) // season)
    return tuple(length - season * back for back in range(1, count + 1))


def what_came(values: Floats, origins: tuple[int, ...], horizon: int) -> Floats:
    """Origins x horizon: what came after each; NaN for what has not come yet."""
    padded = np.r_[values, np.full(horizon, np.nan)]
    return np.asarray(padded[np.array(origins, dtype=np.intp)[:, None] + np.arange(horizon)], dtype=np.float64)


def silent(history: History, horizon: int) -> Forecast:
    """What has stopped is expected to stay so. It may start again, as high as it was: once in twenty times, say."""
    steps, spent = np.zeros(horizon), history.clean[history.clean > 0]
    again = np.resize(spent[-history.season :].mean(), horizon)
    return told(
        Ranges(steps, steps, steps, steps, again),
        Ranges(steps, steps, steps, steps, again.cumsum()),
        1.0,
        (("stopped", 1.0),),
        0,
    )


def unchanging(history: History, horizon: int) -> Forecast:
    """A history that never changed goes on so; there is nothing to take a range from."""
    steps = np.full(horizon, history.clean[-1])
    sums = np.cumsum(steps)
    return told(Ranges(*(steps,) * 5), Ranges(*(sums,) * 5), 1.0, (("unchanged", 1.0),), 0)
