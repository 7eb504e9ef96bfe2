"""Where spending lands at an even pace. Pure: no Django, no models.

Shares are exact fractions of the period (0 to 1), so that money is never multiplied by a float.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from budgets.limits.calendar import Period, expected_share, working_days

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEAST_SEEN = 8  # of a period shorter than eight days, an eighth must have passed before a pace is stated


def seen_enough(seen_from: datetime, starts_at: datetime, ends_at: datetime, now: datetime) -> bool:
    """Whether a pace may be stated: one day has been seen, or an eighth of a period shorter than eight days."""
    return now - max(seen_from, starts_at) >= min(DAY, (ends_at - starts_at) / LEAST_SEEN)


def expected(
    period: Period, spent: int, seen_from: datetime | None, now: datetime, zone: ZoneInfo, pattern: str
) -> int | None:
    """What a period that runs comes to by its end, used since `seen_from` (None: not yet); None while too early.

    `pattern` is a budget's pace.
    """
    if seen_from is None:
        return None
    starts, ends = microseconds(period.starts_at), microseconds(period.ends_at)
    shares = None if pattern == "even" else Shares(period, now, zone, pattern)
    return expected_at(starts, ends, microseconds(seen_from), microseconds(now), spent, shares)


class Shares:
    """Of one period at one moment: which share of it would be used by now, and by when it was first used.

    Thousands of budgets share a few periods, and began in some quarter hour of them: each is computed once.
    """

    def __init__(self, period: Period, now: datetime, zone: ZoneInfo, pattern: str) -> None:
        self.now = expected_share(period, now, zone, pattern)
        # A whole working day, or an eighth of a shorter period: what was used on a weekend says nothing of Monday.
        days = working_days(period.first, period.last) if pattern == "working_days" else 0
        self.least = min(Fraction(1, days), Fraction(1, LEAST_SEEN)) if days else Fraction(0)
        self._of = (period, zone, pattern)
        self._since: dict[int, Fraction] = {}

    def since(self, seen_from: int) -> Fraction:
        """At a moment in microseconds."""
        if seen_from not in self._since:
            period, zone, pattern = self._of
            self._since[seen_from] = expected_share(period, EPOCH + seen_from * MICROSECOND, zone, pattern)
        return self._since[seen_from]


def expected_at(starts: int, ends: int, seen_from: int, now: int, spent: int, shares: Shares | None) -> int | None:
    """The same in microseconds, for ranking thousands; without `shares` every moment of the period weighs alike."""
    if now - max(seen_from, starts) < min(DAY // MICROSECOND, (ends - starts) // LEAST_SEEN) or now <= seen_from:
        return None
    if shares is None:
        return rounded(spent * (ends - seen_from), now - seen_from)
    first = shares.since(seen_from)
    return landing(spent, shares.now, first) if shares.now - first >= shares.least else None


def microseconds(when: datetime) -> int:
    """Since 1970, exactly."""
    return (when - EPOCH) // MICROSECOND


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
