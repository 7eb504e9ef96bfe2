"""Forecasts read off the past: what the same hours, weekdays or weeks have been, or what followed days like these.

Pure. Each returns (origins x horizon), each row from `values[:origin]` alone.
"""

import numpy as np

from reports.forecast.floats import Floats

Origins = tuple[int, ...]


def repeated(values: Floats, origins: Origins, horizon: int, period: int, cycles: int, middle: bool = False) -> Floats:
    """The mean (or median) of the last `cycles` periods, as many as there are, again and again."""
    rows = []
    for origin in origins:
        count = max(1, min(cycles, origin // period))
        past = values[max(origin - count * period, 0) : origin].reshape(count, -1)
        rows.append(np.resize(np.median(past, axis=0) if middle else past.mean(axis=0), horizon))
    return np.stack(rows)


def alike(values: Floats, origins: Origins, horizon: int, season: int, window: int, best: int) -> Floats:
    """What followed the `best` stretches of `window` steps, at the same time of the season, most like the last one.

    Each is moved towards the level of now by 70 % of the difference: levels come back in part.
    """
    rows = []
    for origin in origins:
        ends = np.arange(origin - season, window - 1, -season)
        ends = ends[ends + horizon <= origin]
        if len(ends) < 2:
            rows.append(np.resize(values[origin - season : origin], horizon))
            continue
        now = values[origin - window : origin]
        before = values[ends[:, None] + np.arange(-window, 0)]
        after = values[ends[:, None] + np.arange(horizon)]
        shift = now.mean() - before.mean(axis=1)
        spread = values[:origin].std() or 1.0
        unlike = np.sqrt(((before + shift[:, None] - now) ** 2).mean(axis=1)) / spread + 0.3 * np.abs(shift) / spread
        nearest = np.argsort(unlike, kind="stable")[:best]
        weight = 1.0 / (unlike[nearest] + 0.05) ** 2
        rows.append(weight @ (after[nearest] + 0.7 * shift[nearest, None]) / weight.sum())
    return np.stack(rows)


def as_last_year(values: Floats, origins: Origins, horizon: int, season: int, year: int, seasons: int) -> Floats:
    """The same steps of last year, times how much higher the last `seasons` are than those of last year were."""
    rows = []
    for origin in origins:
        now, then = levels(values, origin, season, year, seasons)
        last_year = np.resize(values[origin - year : origin][:year], horizon)
        rows.append(last_year * growth(now, then, 1.0))
    return np.stack(rows)


def with_last_year(values: Floats, origins: Origins, horizon: int, season: int, year: int, share: float) -> Floats:
    """The middle of the last 8 seasons, rising and falling week by week by `share` of what last year did."""
    rows = []
    for origin in origins:
        count = min(8, origin // season)
        shape = np.median(values[origin - count * season : origin].reshape(count, season), axis=0)
        start = origin - year
        then = float(np.median(values[max(start - count * season, 0) : max(start, 4 * season)]))
        moves = []
        for week in range(-(-horizon // season)):
            at = start + (week * season) % year
            near = values[max(at - season, 0) : min(at + 2 * season, origin)]
            moves.append(growth(float(np.median(near)), then, share))
        rows.append((shape[None, :] * np.array(moves)[:, None]).ravel()[:horizon])
    return np.stack(rows)


def level_and_course(values: Floats, origins: Origins, horizon: int, season: int, year: int, seasons: int) -> Floats:
    """The mean of the last `seasons`, shaped like the last 8, rising and falling by 75 % of what last year's weeks did
    against the same `seasons` then."""
    rows = []
    for origin in origins:
        now, then = levels(values, origin, season, year, seasons)
        count = min(8, origin // season)
        shape = np.median(values[origin - count * season : origin].reshape(count, season), axis=0)
        shape = shape * growth(now, float(shape.mean()), 1.0)
        moves = []
        for week in range(-(-horizon // season)):
            at = origin - year + (week * season) % year
            moves.append(growth(float(values[max(at - season, 0) : min(at + 2 * season, origin)].mean()), then, 0.75))
        rows.append((shape[None, :] * np.array(moves)[:, None]).ravel()[:horizon])
    return np.stack(rows)


def levels(values: Floats, origin: int, season: int, year: int, seasons: int) -> tuple[float, float]:
    """Mean of the last `seasons`, and of the same ones a year before (of what is there, at least four)."""
    length = seasons * season
    then = values[max(origin - year - length, 0) : origin - year]
    length = len(then) // season * season
    if length < 4 * season:
        return 1.0, 1.0
    then = then[-length:]
    return float(values[origin - length : origin].mean()), float(then.mean())


def growth(now: float, then: float, share: float) -> float:
    """The ratio, within 1/5 and 5, of which `share` is believed; 1 where either is not above zero."""
    if now <= 0 or then <= 0:
        return 1.0
    return float(1.0 + share * (min(max(now / then, 0.2), 5.0) - 1.0))
