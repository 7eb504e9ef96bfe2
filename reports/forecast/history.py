"""A history made ready: where it starts, gaps filled, accidents set aside, all on the level of now. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.forecast.accidents import without_lone_peaks, without_lone_zeros
from reports.forecast.floats import Floats
from reports.forecast.shifts import has_stopped, on_the_level_of_now

SEASONS_NEEDED = 2  # of known history, below which nothing sensible can be said
FINE = 12  # a season of this many steps is a day of hours or finer; a shorter one a week of days or the like
REACHES = (3, 6, 20)  # seasons to either side in which the neighbours of a gap are looked for
DAYS_OF_YEAR = 364  # a year of whole weeks, so that a Monday stands under a Monday


class TooShort(ValueError):
    """The history has fewer known steps than two seasons. `needed` and `known` are numbers of steps."""

    def __init__(self, needed: int, known: int) -> None:
        self.needed, self.known = needed, known
        super().__init__(
            f"A forecast needs {needed} known steps since the first that is not zero; this history has {known}."
        )


@dataclass(frozen=True)
class History:
    """`raw` from its first value above zero on, NaN for gaps and lone peaks; `clean`, as long, without gaps and
    accidents. In both, what was before the last clear change of level is moved to the level of now. `stopped`: nothing
    comes any more.

    `season` and `long` are lengths in steps; `long` is 0 where there is no longer season or the history is too short
    to show one.
    """

    raw: Floats
    clean: Floats
    season: int
    long: int
    stopped: bool = False

    @property
    def zeros(self) -> float:
        """The share of zeros that are a habit of this series."""
        return float(np.mean(self.clean <= 0))


def prepared(values: Sequence[float | None], season: int, seasons: tuple[int, ...] = ()) -> History:
    """Raises TooShort; ValueError for a season below 1 or values that are infinite."""
    if season < 1 or any(longer < 1 for longer in seasons):
        raise ValueError("A season is 1 step or longer.")
    raw = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    if np.isinf(raw).any():
        raise ValueError("A history holds numbers and gaps; it cannot hold an infinite value.")
    raw = from_the_start(raw)
    known = int(np.isfinite(raw).sum())
    needed = max(SEASONS_NEEDED * season, 2)
    if known < needed:
        raise TooShort(needed, known)
    filled_up = filled(without_lone_zeros(raw, season), season)
    without_peaks = without_lone_peaks(filled_up, season)
    raw, clean = np.where(np.isnan(without_peaks), np.nan, raw), filled(without_peaks, season)
    long = longer_season(len(raw), season, seasons)
    if has_stopped(filled_up, season):
        return History(raw, clean, season, long, stopped=True)
    factors = on_the_level_of_now(clean, 7 * season if season >= FINE else season)
    return History(raw * factors, clean * factors, season, long)


def from_the_start(raw: Floats) -> Floats:
    """Without the gaps before the first value, and without the zeros of a time before it began."""
    begun = np.flatnonzero(np.isfinite(raw))
    spent = np.flatnonzero(np.nan_to_num(raw) != 0)
    return raw[spent[0] if len(spent) else begun[0] :] if len(begun) else raw[:0]


def filled(raw: Floats, season: int) -> Floats:
    """Each gap is the median of the same time of the nearest seasons, else of everything."""
    gaps = np.flatnonzero(np.isnan(raw))
    out = raw.copy()
    whole = float(np.nanmedian(raw))
    for gap in gaps:
        out[gap] = whole
        for reach in REACHES:
            near = raw[
                gap % season if gap < reach * season else gap - reach * season : gap + reach * season + 1 : season
            ]
            if np.isfinite(near).any():
                out[gap] = np.nanmedian(near)
                break
    return out


def longer_season(length: int, season: int, seasons: tuple[int, ...]) -> int:
    """Steps of the second season: the longest one named, else a week of hours or a year of days; 0 if unseen yet.

    A week is used once three are there; a year once there is one and a quarter, so that there is a back-test with it.
    """
    longer = max(seasons, default=0)
    if longer <= season:
        longer = {24: 7 * 24, 7: DAYS_OF_YEAR}.get(season, 0)
    if not longer:
        return 0
    cycles = 3.0 if longer <= 10 * season else 1.25
    return longer if length >= cycles * longer else 0
