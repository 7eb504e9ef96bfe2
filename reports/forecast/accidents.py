"""What happened once and says nothing of what comes: lone zeros and lone peaks. Pure.

They are taken out of what methods learn from. Zeros stay in what ranges are taken from; a lone peak does not, since one
would make the range of everything.
"""

import numpy as np
from numpy.typing import NDArray

from reports.forecast.floats import Floats

RARE_ZEROS = 0.10  # zeros are a habit, not accidents, from this share of the history on
RARE_PEAKS = 0.01  # the same of peaks, which are more often something that comes back
PEAK = 20.0  # usual deviations from the same time of other seasons that make a peak
NEAR = 3  # seasons to either side that are compared with


def without_lone_zeros(raw: Floats, season: int) -> Floats:
    """Zeros become gaps where they are rare, short and at a time that is not usually zero: a machine was down."""
    zero = raw == 0
    if not zero.any() or zero.mean() >= RARE_ZEROS:
        return raw
    phase = np.arange(len(raw)) % season
    usual = np.array([np.nanmedian(of) if np.isfinite(of := raw[phase == at]).any() else 0 for at in range(season)])
    lone = short_runs(zero, season) & (usual[phase] != 0)
    return np.where(lone, np.nan, raw)


def without_lone_peaks(clean: Floats, season: int) -> Floats:
    """Values far from both the same time of near seasons and from the middle of all become gaps, if rare and short."""
    steps = np.arange(len(clean))
    near = np.full((2 * NEAR, len(clean)), np.nan)
    for row, seasons in enumerate([*range(-NEAR, 0), *range(1, NEAR + 1)]):
        at = steps + seasons * season
        inside = (at >= 0) & (at < len(clean))
        near[row, inside] = clean[at[inside]]
    away = np.abs(clean - np.nanmedian(near, axis=0))
    usual = max(1.4826 * float(np.median(away)), 0.5 * float(away.mean()))
    if usual == 0:
        return clean
    far = (away > PEAK * usual) & (np.abs(clean - np.median(clean)) > PEAK * usual)
    if not 0 < far.sum() <= max(RARE_PEAKS * len(clean), 1):
        return clean
    return np.where(short_runs(far, season), np.nan, clean)


def short_runs(there: NDArray[np.bool_], season: int) -> NDArray[np.bool_]:
    """Where a run is no longer than half a season. One that lasts until now may be a new level: shorter."""
    edges = np.flatnonzero(np.diff(np.r_[0, there.astype(np.int8), 0]))
    short = np.zeros(len(there), dtype=np.bool_)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        longest = season // 2 if end < len(there) else season // 6
        short[start:end] = end - start <= max(longest, 1)
    return short
