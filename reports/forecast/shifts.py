"""The last change of level that stayed: an application went live, a model was replaced, work was moved. Pure."""

import numpy as np

from reports.forecast.floats import Floats

BEFORE = 8  # blocks before a change that are looked at
CLEAR = 4.0  # how many times the largest deviation of a block on either side the change must be
LARGE = 1.5  # and how many times the level
LASTING = (
    8  # and it must have lasted this part of the history: what is new for a week after a calm year often goes again
)
LIMIT = 50.0  # of the factor by which the past is moved


def on_the_level_of_now(clean: Floats, block: int) -> Floats:
    """What to multiply each step by, so that all of it stands on the level since the last clear change; ones if none.

    `block` is the number of steps whose mean has no season left in it. A change counts once it has lasted a block and
    an eighth of the history.
    """
    factors = np.ones(len(clean))
    if len(clean) < 4 * block or clean.min() < 0:
        return factors
    sums = np.r_[0.0, np.cumsum(clean)]
    best = CLEAR
    lasting = max(block, len(clean) // LASTING)
    for split in range(len(clean) - lasting, max(2 * block, len(clean) - BEFORE * block) - 1, -1):
        count = min(BEFORE, split // block)
        ends = split - block * np.arange(count)
        before = (sums[ends] - sums[ends - block]) / block
        starts = np.arange(split, len(clean) - block + 1)
        after = (sums[starts + block] - sums[starts]) / block
        old, new = before.mean(), after.mean()
        if not (old > 0 and new > 0 and max(old, new) > LARGE * min(old, new)):
            continue
        loose = max(np.abs(before - old).max(), np.abs(after - new).max(), 1e-9 * max(old, new))
        if abs(new - old) > best * loose:
            best = abs(new - old) / loose
            factors[:] = 1.0
            factors[:split] = min(max(new / old, 1 / LIMIT), LIMIT)
    return factors


def has_stopped(clean: Floats, season: int) -> bool:
    """Nothing for a season, and for more than twice as long as ever before: it may not come back."""
    zero = clean == 0
    if not zero[-1] or zero.all():
        return False
    edges = np.flatnonzero(np.diff(np.r_[0, zero.astype(np.int8), 0]))
    runs = (edges[1::2] - edges[::2]).tolist()
    return bool(runs[-1] >= season and runs[-1] > 2 * max(runs[:-1], default=0))
