"""Where spending lands at an even pace. Pure: no Django, no models.

Shares are exact fractions of the period (0 to 1), so that money is never multiplied by a float.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

from budgets.limits.calendar import Period, expected_share

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
LEAST_SEEN = 8  # of a period shorter than eight days, an eighth must have passed before a pace is stated


def seen_enough(seen_from: datetime, starts_at: datetime, ends_at: datetime, now: datetime) -> bool:
    """Whether a pace may be stated: one day has been seen, or an eighth of a period shorter than eight days."""
    return now - max(seen_from, starts_at) >= min(DAY, (ends_at - starts_at) / LEAST_SEEN)


def expected(
    period: Period, spent: int, seen_from: datetime | None, now: datetime, zone: ZoneInfo, pattern: str
) -> int | None:
    """What a period that runs comes to by its end, used since `seen_from` (None: not yet); None while too early.

    `pattern` is a budget's pace. The one answer for a single budget's page and for ranking thousands: cheap.
    """
    if seen_from is None or not seen_enough(seen_from, period.starts_at, period.ends_at, now):
        return None
    if pattern == "even":
        whole, passed = period.ends_at - seen_from, now - seen_from
        return rounded(spent * (whole // MICROSECOND), passed // MICROSECOND) if passed else None
    return landing(spent, _share(period, now, zone, pattern), _share(period, seen_from, zone, pattern))


def landing(spent: int, share_now: Fraction, share_first: Fraction) -> int | None:
    """What will be spent by the end if it goes on as from the first use until now; None before any of it passed."""
    now, whole = share_now.numerator, share_now.denominator
    first, of = share_first.numerator, share_first.denominator
    passed = now * of - first * whole
    # spent × (1 + (1 − now) / (now − first)), over one denominator.
    return rounded(spent * whole * (of - first), passed) if passed > 0 else None


def rounded(numerator: int, denominator: int) -> int:
    """The whole number nearest to the fraction, half to even; `denominator` above zero."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


# Thousands of budgets share a few periods, and began in some quarter hour of them.
_share = lru_cache(maxsize=8192)(expected_share)
