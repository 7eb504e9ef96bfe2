"""A month as weeks of days, each with what happens on it. Pure."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from budgets.activities.expand import Occurrence
from budgets.pages.moments import DAYS

DAY = timedelta(days=1)
SHOWN = 5  # on one day; the list has all
FIRST_MONTH, LAST_MONTH = date(2000, 1, 1), date(2100, 12, 1)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the table; `more` occurrences are not in `shown`."""

    date: date
    is_in_month: bool
    is_today: bool
    shown: tuple[Occurrence, ...]
    more: int

    @property
    def weekday(self) -> str:
        return DAYS[self.date.weekday()]

    @property
    def entries(self) -> list[tuple[Occurrence, bool]]:
        """With each, whether it began before this day."""
        return [(one, one.first < self.date) for one in self.shown]


@dataclass(frozen=True, slots=True)
class Month:
    """`first` to `last` are the month; the table shows whole weeks from Monday."""

    first: date
    last: date
    today: date

    @classmethod
    def of(cls, day: date, today: date) -> "Month":
        return cls(day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]), today)

    @property
    def previous(self) -> str:
        """ "2026-10"; "" where none is shown."""
        return f"{self.first - DAY:%Y-%m}" if self.first > FIRST_MONTH else ""

    @property
    def next(self) -> str:
        return f"{self.last + DAY:%Y-%m}" if self.first < LAST_MONTH else ""

    @property
    def table_first(self) -> date:
        return self.first - self.first.weekday() * DAY

    @property
    def table_last(self) -> date:
        return self.last + (6 - self.last.weekday()) * DAY

    def weeks(self, found: Sequence[Occurrence]) -> list[list[Day]]:
        by_day: dict[date, list[Occurrence]] = {}
        for one in found:
            for i in range((min(one.last, self.table_last) - max(one.first, self.table_first)).days + 1):
                by_day.setdefault(max(one.first, self.table_first) + i * DAY, []).append(one)
        days = [
            Day(day, self.first <= day <= self.last, day == self.today, tuple(here[:SHOWN]), max(0, len(here) - SHOWN))
            for i in range((self.table_last - self.table_first).days + 1)
            for day in [self.table_first + i * DAY]
            for here in [by_day.get(day, [])]
        ]
        return [days[i : i + 7] for i in range(0, len(days), 7)]


def month_of(text: str) -> date | None:
    """The first day of "2026-11"; None for anything else and for years that are not shown."""
    try:
        found = date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
    return found if len(text) == 7 and FIRST_MONTH <= found <= LAST_MONTH else None
