"""How much each method counts for this series: by its errors in the back-test, drawn towards equal. Pure."""

import numpy as np
from numpy.typing import NDArray

from reports.forecast.floats import Floats

FRESH = {True: 3.0, False: 8.0}  # by fine: origins after which an error counts half
SHARPNESS = {True: 12.0, False: 6.0}  # the power of the relative error by which a method loses weight
TRUSTED = {True: 1.0, False: 2.0}  # origins that have to be seen before the back-test says half of it
TOTALS = {True: 0.0, False: 2.0}  # how much the mean error of the whole horizon counts beside that of its steps


def weights(errors: Floats, before: Floats, fine: bool) -> Floats:
    """A weight for each method, together 1. `fine`: the season has many steps, like the hours of a day.

    `errors` is methods x origins x horizon, newest origin first, NaN where what came is not known yet; `before` how
    much each counts without them.
    """
    seen = np.isfinite(errors)
    if not seen.any():
        return np.asarray(before / before.sum(), dtype=np.float64)
    size = usual_error(errors, seen, fine)
    best = float(size.min())
    if best <= 0:
        right = (size <= 0).astype(np.float64)
        return np.asarray(right / right.sum(), dtype=np.float64)
    origins = int(seen.any(axis=(0, 2)).sum())
    sharpness = SHARPNESS[fine] * origins / (origins + TRUSTED[fine])
    loud = before * (size / best) ** -sharpness
    return np.asarray(loud / loud.sum(), dtype=np.float64)


def usual_error(errors: Floats, seen: NDArray[np.bool_], fine: bool) -> Floats:
    """Of each method: the mean error of a step, and with it that of a whole horizon per step; fresh ones count more."""
    fresh = 0.5 ** (np.arange(errors.shape[1]) / FRESH[fine])
    known = np.where(seen, errors, 0.0)
    counts = seen.sum(axis=2)
    steps = (np.abs(known).sum(axis=2) * fresh).sum(axis=1) / (counts * fresh).sum(axis=1)
    totals = (np.abs(known.sum(axis=2)) * fresh).sum(axis=1) / (counts * fresh).sum(axis=1)
    return np.asarray(steps + TOTALS[fine] * totals, dtype=np.float64)
