"""Scores of a whole series, the same as if its values had come one by one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median

from reports.unusual.detector import HOUR, Detector, Seen

FIRST_ROWS = 100  # whose spacing is the grain: what comes later does not change a score


def scan(timestamps: Sequence[datetime], values: Iterable[float | None], grain: float | None = None) -> list[Seen]:
    """One `Seen` for each value, in the same order; `grain` in seconds, else `grain_of` the time stamps.

    Each value needs what those before it left, means and counts alike, so there is nothing to compute at once over the
    series: this is the detector in a loop, and equal to it by being it.
    """
    detector = Detector(grain or grain_of(timestamps))
    return [detector.see(when, value) for when, value in zip(timestamps, values, strict=True)]


def grain_of(timestamps: Sequence[datetime]) -> float:
    """Median spacing of the first rows in seconds; repeated and earlier time stamps say nothing. An hour if unknown."""
    spacings = [(after - before).total_seconds() for before, after in pairwise(timestamps[:FIRST_ROWS])]
    return median([spacing for spacing in spacings if spacing > 0] or [HOUR])
