"""Ridge regression of a step on earlier steps and on its time of the season, run forward step by step. Pure."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reports.forecast.floats import Floats

LEARNING = 8  # seasons that the longest lag leaves to learn from; half of a short history
ROOM = 1.0  # how far beyond the range of the history a forecast may go, as a share of that range


@dataclass(frozen=True)
class Lagged:
    """`lags` are steps back, `means` the lengths of the last stretches whose mean counts; `ridge` weighs on these and
    `season_ridge` on the level of each time of the season (both for values of variance 1); `half_life` in steps, 0 to
    count all of the past alike; `power` is applied before: 1, 0.5 (root) or 0 (logarithm).
    """

    lags: tuple[int, ...]
    means: tuple[int, ...] = ()
    ridge: float = 1.0
    season_ridge: float = 1.0
    half_life: float = 0.0
    power: float = 1.0


def lagged(values: Floats, origins: tuple[int, ...], horizon: int, season: int, how: Lagged) -> Floats:
    """Forecasts (origins x horizon), each from `values[:origin]` alone: fitted there, then iterated."""
    last, first = max(origins), min(origins)
    centre, spread = values[:first].mean(), values[:first].std()
    if spread <= 1e-12 * max(abs(centre), 1e-300):
        return np.repeat(values[np.array(origins) - 1][:, None], horizon, axis=1)
    scaled = (values[:last] - centre) / spread
    furthest = max(first // 2, first - LEARNING * season)
    lags = np.array([lag for lag in how.lags if lag <= furthest], dtype=np.intp)
    means = [length for length in how.means if length <= furthest]
    back = int(max([*lags, *means, 1]))
    rows = regressors(scaled, back, lags, means, season)
    betas = fitted(rows, scaled[back:], [origin - back for origin in origins], len(lags) + len(means), how)
    ahead = iterated(scaled, origins, horizon, season, betas, (back, lags, means))
    return np.asarray(ahead * spread + centre, dtype=np.float64)


def regressors(scaled: Floats, back: int, lags: NDArray[np.intp], means: list[int], season: int) -> Floats:
    """One row for each step from `back` on: lagged values, means of stretches, a column for each time of the season."""
    steps = np.arange(back, len(scaled))
    sums = np.r_[0.0, np.cumsum(scaled)]
    known = len(lags) + len(means)
    rows = np.zeros((len(steps), known + season))
    for column, lag in enumerate(lags):
        rows[:, column] = scaled[steps - lag]
    for column, length in enumerate(means, start=len(lags)):
        rows[:, column] = (sums[steps] - sums[steps - length]) / length
    rows[np.arange(len(steps)), known + steps % season] = 1.0
    return rows


def fitted(rows: Floats, target: Floats, ends: list[int], known: int, how: Lagged) -> Floats:
    """Coefficients (ends x columns) of the rows before each end. Sums of products are carried from end to end."""
    penalty = np.full(rows.shape[1], how.season_ridge)
    penalty[:known] = how.ridge
    order = sorted(set(ends))
    products, moments = np.zeros((rows.shape[1],) * 2), np.zeros(rows.shape[1])
    found = {}
    for start, end in pairwise([0, *order]):
        part, weight = rows[start:end], np.ones((end - start, 1))
        if how.half_life:
            fade = 0.5 ** ((end - start) / how.half_life)
            products, moments = products * fade, moments * fade
            weight = 0.5 ** ((end - 1 - np.arange(start, end)) / how.half_life)[:, None]
        products = products + part.T @ (part * weight)
        moments = moments + (part * weight).T @ target[start:end]
        found[end] = (products + np.diag(penalty), moments)
    left = np.stack([found[end][0] for end in ends])
    right = np.stack([found[end][1] for end in ends])
    return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0])


def iterated(
    scaled: Floats,
    origins: tuple[int, ...],
    horizon: int,
    season: int,
    betas: Floats,
    shape: tuple[int, NDArray[np.intp], list[int]],
) -> Floats:
    """Each origin's forecasts, one step from the other, all origins at once."""
    back, lags, means = shape
    path = np.zeros((len(origins), back + horizon))
    for row, origin in enumerate(origins):
        path[row, :back] = scaled[origin - back : origin]
    low, high = scaled.min(), scaled.max()
    low, high = low - ROOM * (high - low), high + ROOM * (high - low)
    of_lags, of_means, of_season = np.split(betas, [len(lags), len(lags) + len(means)], axis=1)
    phases = np.array(origins)
    every = np.arange(len(origins))
    for step in range(horizon):
        at = back + step
        value = (path[:, at - lags] * of_lags).sum(axis=1) + of_season[every, (phases + step) % season]
        for column, length in enumerate(means):
            value += path[:, at - length : at].mean(axis=1) * of_means[:, column]
        path[:, at] = np.minimum(np.maximum(value, low), high)
    return path[:, back:]
