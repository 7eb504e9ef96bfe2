"""When a budget's period begins and ends, and how much of it should be spent by now. Pure.

Days are the organisation's; instants are aware UTC. Every bound lies on a UTC quarter hour, because usage is summed per
quarter hour: all of today's time zones begin their days on one (Kathmandu at 18:15 UTC). For the few historic offsets
that do not (Liberia until 1972, local mean times), a day begins with the first quarter hour that begins in it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
QUARTER_HOUR = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days `first` to `last`, both included; as instants from `starts_at` up to, not including, `ends_at`."""

    first: date
    last: date
    starts_at: datetime
    ends_at: datetime

    def contains(self, when: datetime) -> bool:
        return self.starts_at <= when < self.ends_at

    def is_over(self, now: datetime) -> bool:
        return self.ends_at <= now


def quarter_hour(t: datetime) -> datetime:
    """The start (UTC) of the quarter hour that `t` (aware) lies in."""
    t = t.astimezone(UTC)
    return t.replace(minute=t.minute - t.minute % 15, second=0, microsecond=0)


@lru_cache(maxsize=4096)
def day_starts_at(day: date, zone: ZoneInfo) -> datetime:
    """The first quarter hour (UTC) of `day` in `zone`.

    Midnight that a clock change skips resolves to the moment of the change; midnight that comes twice to the first.
    A day that a zone never had (Samoa, 30 December 2011) starts where the next one does.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    past = (midnight - _EPOCH) % QUARTER_HOUR
    return midnight if not past else midnight + QUARTER_HOUR - past


def day_of(t: datetime, zone: ZoneInfo) -> date:
    """The day in `zone` whose quarter hours include `t` (aware)."""
    day = t.astimezone(zone).date()
    while t < day_starts_at(day, zone):
        day -= DAY
    while t >= day_starts_at(day + DAY, zone):
        day += DAY
    return day


@lru_cache(maxsize=8192)
def period_bounds(  # a pure table of what a period depends on; callers name what is optional
    period: str,
    day: date,
    zone: ZoneInfo,
    starts_on: date | None = None,
    ends_on: date | None = None,
    fiscal_year_starts: int = 1,
) -> Period:
    """The period of this kind that `day` lies in; for fixed dates the one period there is, wherever `day` lies.

    `period` is day, week (from Monday), month, quarter, year or fixed. `fiscal_year_starts` (month, 1 to 12) shifts
    quarters and years. Raises ValueError for another kind, or for fixed dates that are missing.
    """
    match period:
        case "day":
            first, after = day, day + DAY
        case "week":
            first = day - timedelta(days=day.weekday())
            after = first + timedelta(days=7)
        case "month" | "quarter" | "year":
            months = {"month": 1, "quarter": 3, "year": 12}[period]
            number = day.year * 12 + day.month - fiscal_year_starts
            number = number - number % months + fiscal_year_starts - 1
            first, after = _month(number), _month(number + months)
        case "fixed" if starts_on is not None and ends_on is not None:
            first, after = starts_on, ends_on + DAY
        case _:
            raise ValueError(f"no such period: {period} from {starts_on} to {ends_on}")
    return Period(first, after - DAY, day_starts_at(first, zone), day_starts_at(after, zone))


def _month(number: int) -> date:
    """The first day of the month that is `number` months after January of the year 0."""
    return date(number // 12, number % 12 + 1, 1)


def previous_period(period: str, of: Period, zone: ZoneInfo, fiscal_year_starts: int = 1) -> Period | None:
    """The period that ends where `of` begins; none before fixed dates."""
    if period == "fixed":
        return None
    return period_bounds(period, of.first - DAY, zone, fiscal_year_starts=fiscal_year_starts)


def next_period(period: str, of: Period, zone: ZoneInfo, fiscal_year_starts: int = 1) -> Period | None:
    """The period that begins where `of` ends; none after fixed dates."""
    if period == "fixed":
        return None
    return period_bounds(period, of.last + DAY, zone, fiscal_year_starts=fiscal_year_starts)


def expected_share(period: Period, now: datetime, zone: ZoneInfo, pace: str = "even") -> Fraction:
    """Which share of the period's amount (0 to 1, exact) would be spent by `now` at this pace.

    `even`: elapsed time by whole time. `working_days`: each Monday to Friday weighs alike and the running one counts
    by its elapsed time; a period without a working day runs evenly.
    """
    if now <= period.starts_at:
        return Fraction(0)
    if now >= period.ends_at:
        return Fraction(1)
    if pace == "working_days" and (days := working_days(period.first, period.last)):
        today = day_of(now, zone)
        done = Fraction(working_days(period.first, today - DAY))
        if today.weekday() < _SATURDAY:
            done += _elapsed(day_starts_at(today, zone), day_starts_at(today + DAY, zone), now)
        return done / days
    return _elapsed(period.starts_at, period.ends_at, now)


def working_days(first: date, last: date) -> int:
    """How many days from `first` to `last`, both included, are Monday to Friday. Holidays are not known."""
    days = (last - first).days + 1
    if days <= 0:
        return 0
    weeks, rest = divmod(days, 7)
    return weeks * 5 + sum((first.weekday() + n) % 7 < _SATURDAY for n in range(rest))


def _elapsed(starts_at: datetime, ends_at: datetime, now: datetime) -> Fraction:
    microsecond = timedelta(microseconds=1)
    return Fraction((now - starts_at) // microsecond, (ends_at - starts_at) // microsecond)
