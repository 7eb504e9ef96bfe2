"""When a report is due, and which days it is about. Pure: no Django, no models."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from budgets.limits.calendar import day_starts_at

DAY = timedelta(days=1)
LATE = timedelta(days=3)  # a report that could not be made for so long is not made any more: the next one comes


@dataclass(frozen=True, slots=True)
class Times:
    """Weekly on `weekday` (1 is Monday), or monthly on the first, at `hour` of `zone`.

    A month is over when it is in `days`, the organisation's zone: where that is later, the monthly report waits for it.
    """

    weekly: bool
    weekday: int
    hour: int
    zone: ZoneInfo
    days: ZoneInfo

    def last(self, now: datetime) -> tuple[date, datetime]:
        """The newest day that it was due on by `now`, and the instant; an hour that clocks skip comes after that."""
        day = now.astimezone(self.zone).date()
        for _ in range(40):
            at = self.at(day)
            if self._is_its_day(day) and at <= now:
                return day, at
            day -= DAY
        raise AssertionError("a month has a first")

    def next(self, now: datetime) -> datetime:
        """The next instant after `now`."""
        day = now.astimezone(self.zone).date()
        while not self._is_its_day(day) or self.at(day) <= now:
            day += DAY
        return self.at(day)

    def at(self, day: date) -> datetime:
        found = datetime.combine(day, time(self.hour), self.zone)
        return found if self.weekly else max(found, day_starts_at(day, self.days))

    def _is_its_day(self, day: date) -> bool:
        return day.isoweekday() == self.weekday if self.weekly else day.day == 1


def days_of(weekly: bool, day: date, today: date) -> tuple[date, date]:
    """The days that the report of `day` is about: seven complete ones, or the calendar month before.

    `today` is the organisation's, where it can be still the day before: then that one is not complete. (`Times` lets no
    monthly report be due before the organisation's month is over.)
    """
    last = min(day, today) - DAY
    if weekly:
        return last - 6 * DAY, last
    last = min(day, today).replace(day=1) - DAY
    return last.replace(day=1), last
