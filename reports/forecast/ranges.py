"""Ranges from the errors of the back-test: of each step, and of sums of steps. Pure.

Errors of the past are scaled by how large they usually are so many seasons ahead and at that time of the season; the
quantiles of what is left, times a factor that makes them hold on series nobody has seen, are the range.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.forecast.floats import Floats
from reports.forecast.history import FINE, History


class Ranges(NamedTuple):
    """Expected, and where 80 % and 95 % of what comes should lie; one number for each step."""

    mean: Floats
    lo80: Floats
    hi80: Floats
    lo95: Floats
    hi95: Floats


LAPLACE = {80: 1.609, 95: 2.996}  # in mean absolute errors; what is believed before there are errors
BELIEF = 20.0  # errors that weigh as much as that belief
PHASE_BELIEF, BLOCK_BELIEF = 10.0, 20.0  # errors until a time of the season, and a season ahead, speak for themselves
BEYOND = 0.25  # the power by which ranges grow further ahead than any back-test reached
WIDEN = {True: {80: 1.12, 95: 1.22}, False: {80: 1.0, 95: 1.0}}  # by whether the season is fine
FEW, MANY = 0.2, {True: 15, False: 20}  # how much wider after no back-test than after many origins
WIDEN_SUM = {True: {80: 1.9, 95: 3.7}, False: {80: 1.9, 95: 3.25}}  # in mean absolute errors of sums


def step_ranges(history: History, ahead: Floats, errors: Floats) -> Ranges:
    """`errors` is origins x horizon (came less expected, NaN if unknown) of the same weighted forecast."""
    season = history.season
    sizes = usual_sizes(history, errors, len(ahead))
    known = (errors / sizes)[np.isfinite(errors)]
    fine = season >= FINE
    unsure = 1.0 + FEW * max(1.0 - len(errors) / MANY[fine], 0.0)
    edges = {}
    for share in (80, 95):
        tail = (100 - share) / 200
        trust = len(known) / (len(known) + BELIEF)
        low, high = (-LAPLACE[share], LAPLACE[share])
        if len(known):
            sides, both = np.quantile(known, [tail, 1 - tail]), np.quantile(np.abs(known), 1 - 2 * tail)
            low, high = low + trust * ((sides[0] - both) / 2 - low), high + trust * ((sides[1] + both) / 2 - high)
        factor = WIDEN[fine][share] * unsure
        edges[share] = (min(low, 0.0) * factor, max(high, 0.0) * factor)
    return bounded(history, ahead, sizes, edges)


def usual_sizes(history: History, errors: Floats, horizon: int) -> Floats:
    """The mean absolute error to expect at each step: overall, times how much the season ahead and its time differ."""
    season = history.season
    seen = np.isfinite(errors)
    size = np.where(seen, np.abs(errors), 0.0)
    base = usual_size(history, errors)
    at = np.arange(horizon)
    of_phase, _ = factors(at % season, size, seen, base, PHASE_BELIEF)
    of_block, number = factors(at // season, size, seen, base, BLOCK_BELIEF)
    unseen = number == 0
    if unseen.any():
        last = int(np.argmax(unseen))
        further = (np.arange(len(of_block)) + 1.0) / max(last, 1)
        of_block = np.where(unseen, of_block[max(last - 1, 0)] * further**BEYOND, of_block)
    return np.asarray(base * of_phase[at % season] * of_block[at // season], dtype=np.float64)


def factors(
    place: NDArray[np.intp], size: Floats, seen: NDArray[np.bool_], base: float, belief: float
) -> tuple[Floats, Floats]:
    """For each group of steps how much larger its errors are than `base`, and how many errors that rests on."""
    groups = int(place.max()) + 1
    total = np.bincount(place, size.sum(axis=0), groups).astype(np.float64)
    number = np.bincount(place, seen.sum(axis=0), groups).astype(np.float64)
    return (total / base + belief) / (number + belief), number


def usual_size(history: History, errors: Floats) -> float:
    """The mean absolute error of a step; what is believed before errors are known counts as one season of them."""
    seen, season = np.isfinite(errors), history.season
    known = float(np.abs(errors[seen]).sum())
    return max((known + unlearned(history) * season) / (int(seen.sum()) + season), 1e-9)


def unlearned(history: History) -> float:
    """The size of error to expect before any is known: how much the same time of the season changes, or any time."""
    values, season = history.clean, history.season
    return float(max(np.abs(values[season:] - values[:-season]).mean(), np.abs(values - np.median(values)).mean()))


def sum_ranges(history: History, ahead: Floats, errors: Floats) -> Ranges:
    """Ranges of sums from the errors of sums: their mean size grows as a power of the number of steps, between the
    root (errors that come alone) and the number itself (errors that all go one way)."""
    horizon, fine = len(ahead), history.season >= FINE
    steps = np.arange(1, horizon + 1)
    filled = np.where(np.isfinite(errors), errors, 0.0)
    began = np.isfinite(errors).cumsum(axis=1)
    last = np.array([np.max(np.flatnonzero(np.isfinite(row)), initial=-1) for row in errors], dtype=np.intp)
    known = (steps[None, :] - 1 <= last[:, None]) & (began > 0)
    sums = np.abs(filled.cumsum(axis=1))
    number = known.sum(axis=0)
    prior = usual_size(history, errors) * steps**0.85
    mean = (np.where(known, sums, 0.0).sum(axis=0) + 2.0 * 0.7 * prior) / (number + 2.0)
    weight = number + 2.0
    logs, sizes = np.log(steps), np.log(np.maximum(mean, 1e-12))
    centre = np.average(logs, weights=weight)
    across = (weight * (logs - centre) ** 2).sum()
    slope = (weight * (logs - centre) * sizes).sum() / across if across > 0 else 0.85
    slope = min(max(slope, 0.5), 1.0)
    line = np.average(sizes, weights=weight) + slope * (logs - centre)
    spread = np.maximum.accumulate(np.exp((line + sizes) / 2))
    edges = {share: (-WIDEN_SUM[fine][share], WIDEN_SUM[fine][share]) for share in (80, 95)}
    return bounded(history, ahead.cumsum(), spread, edges)


def bounded(history: History, middle: Floats, sizes: Floats, edges: dict[int, tuple[float, float]]) -> Ranges:
    """Middle and edges, nested, and not below zero for a history that never was."""
    lowest = 0.0 if np.nanmin(history.raw) >= 0 else -np.inf
    lo80, hi80 = (np.maximum(middle + sizes * edge, lowest) for edge in edges[80])
    lo95, hi95 = (np.maximum(middle + sizes * edge, lowest) for edge in edges[95])
    middle = np.maximum(middle, lowest)
    return Ranges(middle, lo80, hi80, np.minimum(lo95, lo80), np.maximum(hi95, hi80))
