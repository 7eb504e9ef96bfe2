"""The stretch of days that the address asks for. Pure: no Django, no models.

Charts use complete days; today is kept apart ("today so far"). Days are the organisation's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from budgets.limits.calendar import DAY, day_of, day_starts_at, period_bounds
from budgets.pages.moments import MONTHS, span

PERIODS = {
    "7d": "Last 7 days",
    "this-month": "This month",
    "last-month": "Last month",
    "quarter": "This quarter",
    "year": "This year",
}
DEFAULT = "this-month"
KNOWN = {"period", "chart", "v", "shape"}  # `v` and `shape` belong to the live refresh


@dataclass(frozen=True)
class Window:
    """Days `first` to `last`, both included; `last` is today where the period still runs.

    `ends` is the period's last day, in the future where it still runs. `before` and `before_last` are the same number
    of complete days of the period before, for comparison.
    """

    period: str
    first: date
    last: date
    ends: date
    before: date
    before_last: date
    today: date
    zone: ZoneInfo

    @property
    def label(self) -> str:
        return PERIODS[self.period]

    @property
    def days_words(self) -> str:
        return span(self.first, self.last)

    @property
    def runs(self) -> bool:
        """Whether the period has not ended, so that today counts and a landing can be stated."""
        return self.last == self.today

    @property
    def complete_last(self) -> date:
        """The last complete day; a day before `first` where there is none yet."""
        return min(self.last, self.today - DAY)

    @property
    def complete_days(self) -> int:
        return (self.complete_last - self.first).days + 1

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of the period, days to come included."""
        return tuple(self.first + timedelta(days=i) for i in range((self.ends - self.first).days + 1))

    @property
    def starts_at(self) -> datetime:
        return day_starts_at(self.first, self.zone)

    @property
    def stops_at(self) -> datetime:
        """The first instant after the days that are counted."""
        return day_starts_at(self.last + DAY, self.zone)

    @property
    def compared_words(self) -> str:
        """ "1–18 Nov", the complete days that are compared: not today, which has not ended."""
        return span(self.first, self.complete_last)

    @property
    def before_words(self) -> str:
        """ "1–18 Oct", the days compared with."""
        return span(self.before, self.before_last)

    @property
    def before_name(self) -> str:
        """ "Same days in October" as the legend says it."""
        if self.period in {"this-month", "last-month"}:
            return f"Same days in {MONTHS[self.before.month - 1]}"
        return f"The days before, {self.before_words}" if self.period == "7d" else f"Same days from {self.before_words}"


def window_of(query: Mapping[str, str], now: datetime, zone: ZoneInfo, fiscal_year_starts: int = 1) -> Window:
    """The window that `period` names; this month where it names nothing known (`ignored` says so to the reader)."""
    today, period = day_of(now, zone), query.get("period", DEFAULT)
    if period not in PERIODS:
        period = DEFAULT
    if period == "7d":
        first, last = today - 7 * DAY, today - DAY
        return Window(period, first, last, last, first - 7 * DAY, first - DAY, today, zone)
    kind = {"this-month": "month", "last-month": "month"}.get(period, period)
    bounds = period_bounds(kind, today, zone, fiscal_year_starts=fiscal_year_starts)
    if period == "last-month":
        bounds = period_bounds(kind, bounds.first - DAY, zone, fiscal_year_starts=fiscal_year_starts)
    before = period_bounds(kind, bounds.first - DAY, zone, fiscal_year_starts=fiscal_year_starts)
    last = min(today, bounds.last)
    length = (min(bounds.last, today - DAY) - bounds.first).days
    before_last = before.last if last == bounds.last and last != today else before.first + timedelta(days=length)
    return Window(period, bounds.first, last, bounds.last, before.first, min(before_last, before.last), today, zone)


def ignored(query: Mapping[str, str]) -> str:
    """What of the address was not understood, as a sentence; empty where all was."""
    said = []
    if (period := query.get("period", DEFAULT)) not in PERIODS:
        said.append(f"“{period[:40]}” is no period that TokenOps knows, so this month is shown.")
    unknown = sorted(name for name in query if name not in KNOWN)
    if unknown:
        names = ", ".join(f"“{name[:40]}”" for name in unknown[:5])
        said.append(f"This page has no filter {names}; it was left out.")
    return " ".join(said)
