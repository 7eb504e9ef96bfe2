"""Where spending lands at an even pace. Pure: no Django, no models.

Shares are exact fractions of the period (0 to 1), so that money is never multiplied by a float.
"""

from datetime import datetime, timedelta
from fractions import Fraction

DAY = timedelta(days=1)
LEAST_SEEN = 8  # of a period shorter than eight days, an eighth must have passed before a pace is stated


def seen_enough(seen_from: datetime, starts_at: datetime, ends_at: datetime, now: datetime) -> bool:
    """Whether a pace may be stated: one day has been seen, or an eighth of a period shorter than eight days."""
    return now - max(seen_from, starts_at) >= min(DAY, (ends_at - starts_at) / LEAST_SEEN)


def landing(spent: int, share_now: Fraction, share_first: Fraction) -> int | None:
    """What will be spent by the end if it goes on as from the first use until now; None before any of it passed."""
    passed = share_now - share_first
    if passed <= 0:
        return None
    return round(spent + spent * (1 - share_now) / passed)
