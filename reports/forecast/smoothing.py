"""Exponential smoothing with one or two additive seasons and a fading last error (Holt-Winters; Taylor 2003). Pure."""

from dataclasses import dataclass

import numpy as np

from reports.forecast.floats import Floats


@dataclass(frozen=True)
class Smoothed:
    """How much of each surprise the level, the season and the long season take up; `echo` is how much of the last
    one is left one step later; `power` as in `Lagged`."""

    level: float
    season: float
    long: float = 0.0
    echo: float = 0.0
    power: float = 1.0


def smoothed(
    values: list[Floats], origins: tuple[int, ...], horizon: int, season: int, long: int, how: list[Smoothed]
) -> Floats:
    """Forecasts (origins x how x horizon). `values[i]` is the history as `how[i]` wants it; one pass serves all."""
    table = np.stack(values)  # how x time
    count, last = len(how), max(origins)
    of_level, of_season, of_long, echo = (
        np.array([getattr(each, name) for each in how]) for name in ("level", "season", "long", "echo")
    )
    cycles = max(1, min(min(origins) // season, 7))
    start = table[:, : cycles * season].reshape(count, cycles, season)
    level = start.mean(axis=(1, 2))
    seasonal = (start.mean(axis=1) - level[:, None]).T.copy()  # season x how
    outer = np.zeros((long or 1, count))
    if long and min(origins) >= 2 * long:
        outer[:] = 0.7 * (table[:, :long] - level[:, None] - np.resize(seasonal, (long, count)).T).T
    gone, wanted, ahead = np.zeros(count), set(origins), np.arange(horizon)
    fade = echo[None, :] ** (ahead + 1.0)[:, None]
    found = {}
    for step in range(last + 1):
        if step in wanted:
            rows = level + seasonal[(step + ahead) % season] + outer[(step + ahead) % len(outer)] + fade * gone
            found[step] = rows.T
        if step == last:
            break
        inner, far = step % season, step % len(outer)
        away = table[:, step] - (level + seasonal[inner] + outer[far])
        surprise = away - echo * gone
        level = level + of_level * surprise
        seasonal[inner] += of_season * surprise
        if long:
            outer[far] += of_long * surprise
        gone = away
    return np.stack([found[origin] for origin in origins])
