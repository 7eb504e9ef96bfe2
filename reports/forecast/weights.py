"""How much each method counts for this series: by its errors in the back-test, drawn towards equal. Pure."""

import numpy as np

from reports.forecast.history import Floats

FRESH = 4.0  # origins after which an error counts half
SHARPNESS = {
    True: 12.0,
    False: 4.0,
}  # by whether the season is fine: the power of the relative error by which a method loses weight
TRUSTED = {True: 1.0, False: 2.0}  # origins that have to be seen before the back-test says half of it


def weights(errors: Floats, fine: bool) -> Floats:
    """A weight for each method, together 1.

    `errors` is methods x origins x horizon, newest origin first, NaN where what came is not known yet.
    """
    seen = np.isfinite(errors)
    fresh = (0.5 ** (np.arange(errors.shape[1]) / FRESH))[None, :, None] * seen
    total = fresh.sum(axis=(1, 2))
    if not seen.any():
        return np.full(len(errors), 1.0 / len(errors))
    mean = (np.where(seen, np.abs(errors), 0.0) * fresh).sum(axis=(1, 2)) / total
    best = mean.min()
    if best <= 0:
        right = (mean <= 0).astype(np.float64)
        return right / right.sum()
    origins = seen.any(axis=(0, 2)).sum()
    sharpness = SHARPNESS[fine] * origins / (origins + TRUSTED[fine])
    loud = (mean / best) ** -sharpness
    return np.asarray(loud / loud.sum())
