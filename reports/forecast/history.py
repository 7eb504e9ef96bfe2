"""A history made ready: where it starts, gaps filled, lone zeros set aside, how far its longer season reaches. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SEASONS_NEEDED = 2  # of known history, below which nothing sensible can be said
FINE = 12  # a season of this many steps is a day of hours or finer; a shorter one a week of days or the like
RARE = 0.10  # zeros are accidents, not habit, below this share of the history
REACHES = (3, 6, 20)  # seasons to either side in which the neighbours of a gap are looked for
DAYS_OF_YEAR = 364  # a year of whole weeks, so that a Monday stands under a Monday


class TooShort(ValueError):
    """The history has fewer known steps than two seasons. `needed` and `known` are numbers of steps."""

    def __init__(self, needed: int, known: int) -> None:
        self.needed, self.known = needed, known
        super().__init__(f"A forecast needs {needed} known steps; this history has {known}.")


@dataclass(frozen=True)
class History:
    """`raw` from its first known step on, NaN for gaps; `clean` of the same length without gaps and lone zeros.

    `season` and `long` are lengths in steps; `long` is 0 where there is no longer season or the history is too short
    to show one.
    """

    raw: Floats
    clean: Floats
    season: int
    long: int

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
    known = int(np.isfinite(raw).sum())
    needed = SEASONS_NEEDED * season
    if known < needed or known < 2:
        raise TooShort(max(needed, 2), known)
    raw = from_the_start(raw, needed)
    return History(
        raw, filled(without_lone_zeros(raw, season), season), season, longer_season(len(raw), season, seasons)
    )


def from_the_start(raw: Floats, needed: int) -> Floats:
    """Without the gaps before the first value, and without the zeros of a time before it began."""
    raw = raw[int(np.argmax(np.isfinite(raw))) :]
    spent = np.flatnonzero(np.nan_to_num(raw) != 0)
    if len(spent) and np.isfinite(raw[spent[0] :]).sum() >= needed:
        return raw[spent[0] :]
    return raw


def without_lone_zeros(raw: Floats, season: int) -> Floats:
    """Zeros become gaps where they are rare, short and at a time that is not usually zero: a machine was down.

    A run of zeros that lasts half a season stays, since then the level has changed.
    """
    zero = raw == 0
    if not zero.any() or zero.mean() >= RARE:
        return raw
    phase = np.arange(len(raw)) % season
    usual = np.array([np.nanmedian(of) if np.isfinite(of := raw[phase == at]).any() else 0 for at in range(season)])
    edges = np.flatnonzero(np.diff(np.r_[0, zero.astype(np.int8), 0]))
    out = raw.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start <= max(season // 2, 1):
            out[start:end] = np.where(usual[phase[start:end]] != 0, np.nan, 0.0)
    return out


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
