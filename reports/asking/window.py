"""The stretch of days that the address asks for. Pure: no Django, no models.

Charts use complete days; today is kept apart ("today so far"). Days are the organisation's.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from budgets.limits.calendar import DAY, day_of, day_starts_at, period_bounds
from budgets.pages.moments import MONTHS, day_year, span, span_year

PERIODS = {
    "7d": "Last 7 days",
    "this-month": "This month",
    "last-month": "Last month",
    "quarter": "This quarter",
    "year": "This year",
}
CUSTOM = "custom"
CUSTOM_WORDS = "Days you choose"
DEFAULT = "this-month"
WINDOW_KEYS = frozenset({"period", "from", "to"})
LONGEST = 1_100  # days of a custom period: three years
WEEKS = 28  # days

COMPARISONS = {
    "previous": "The days before",
    "weekdays": "The same weekdays",
    "last-year": "The same days last year",
    "none": "Nothing",
}


@dataclass(frozen=True)
class Window:
    """Days `first` to `last`, both included; `last` is today where the period still runs.

    `ends` is the period's last day, in the future where it still runs. `before` and `before_last` are the same number
    of complete days of the period before, for comparison. `note` says what of the address was not understood.
    """

    period: str
    first: date
    last: date
    ends: date
    before: date
    before_last: date
    today: date
    zone: ZoneInfo
    note: str = ""

    @property
    def label(self) -> str:
        return PERIODS.get(self.period, CUSTOM_WORDS)

    @property
    def days_words(self) -> str:
        return span(self.first, self.last) if self.first.year == self.last.year else span_year(self.first, self.last)

    @property
    def query(self) -> dict[str, str]:
        """What an address says to come back to these days."""
        if self.period != CUSTOM:
            return {"period": self.period}
        return {"period": CUSTOM, "from": self.first.isoformat(), "to": self.ends.isoformat()}

    @property
    def link(self) -> str:
        """The same as a query string."""
        return urlencode(self.query)

    @property
    def complete(self) -> "Window | None":
        """The complete days of it alone; None where there is none yet."""
        if not self.runs:
            return self
        return None if self.complete_days <= 0 else of_days(self.first, self.complete_last, self.today, self.zone)

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
        alone = self.period in {"7d", CUSTOM}
        return f"The days before, {self.before_words}" if alone else f"Same days from {self.before_words}"


def of_days(first: date, last: date, today: date, zone: ZoneInfo, ends: date | None = None, note: str = "") -> Window:
    """The days `first` to `last` as chosen by hand; compared with as many complete days before."""
    complete = (min(last, today - DAY) - first).days + 1
    before = first - max(1, (last - first).days + 1) * DAY
    return Window(CUSTOM, first, last, ends or last, before, before + (complete - 1) * DAY, today, zone, note)


def window_of(query: Mapping[str, str], now: datetime, zone: ZoneInfo, fiscal_year_starts: int = 1) -> Window:
    """The window that `period` (with `from` and `to`) names; this month, with a note, where that makes no sense."""
    today, period, note = day_of(now, zone), query.get("period", DEFAULT), ""
    if period == CUSTOM:
        first, ends, wrong = custom_days(query, today)
        if not wrong:
            return of_days(first, min(ends, today), today, zone, ends)
        period, note = DEFAULT, f"{wrong} This month is shown."
    elif period not in PERIODS:
        period, note = DEFAULT, f"“{period[:40]}” is no period that TokenOps knows, so this month is shown."
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
    return Window(
        period, bounds.first, last, bounds.last, before.first, min(before_last, before.last), today, zone, note
    )


def custom_days(query: Mapping[str, str], today: date) -> tuple[date, date, str]:
    """The first and last day that were chosen, and why they cannot be shown; "" where they can."""
    try:
        first, last = date.fromisoformat(query.get("from", "")), date.fromisoformat(query.get("to", ""))
    except ValueError:
        return today, today, "Choose the first and the last day, written like 2026-11-30."
    if last < first:
        return today, today, f"{day_year(last)} is before {day_year(first)}; turn the two days around."
    if first > today:
        return today, today, f"{day_year(first)} is still to come."
    if first.year < 2000:
        return today, today, f"{day_year(first)} is too long ago; choose days from 2000 on."
    if (last - first).days >= LONGEST:
        return today, today, f"That is more than {LONGEST:,} days; choose fewer."
    return first, last, ""


def compared(window: Window, how: str) -> Window | None:
    """The complete days that the window's complete days are compared with, day by day in order.

    `previous`: the days before, or the same days of the period before; `weekdays`: the same days of the week, four
    weeks back, or as many as it takes not to overlap; `last-year`: the same dates. None for `none`, and where there
    is no complete day yet.
    """
    if window.complete_days <= 0:
        return None
    if how == "previous":
        first, last = window.before, window.before_last
    elif how == "weekdays":
        back = max(WEEKS, -(-window.complete_days // 7) * 7) * DAY
        first, last = window.first - back, window.complete_last - back
    elif how == "last-year":
        first, last = year_before(window.first), year_before(window.complete_last)
    else:
        return None
    return of_days(first, last, window.today, window.zone) if first <= last else None


def compared_name(window: Window, other: Window, how: str) -> str:
    """ "Same days in October", "Same weekdays, 5–22 Oct", "Last year, 1–18 Nov 2025", as a legend says it."""
    if how == "previous":
        return window.before_name
    words = span_year(other.first, other.last)
    return f"Same weekdays, {words}" if how == "weekdays" else f"Last year, {words}"


def year_before(day: date) -> date:
    """The same date a year before; for 29 February the 28th."""
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def unknown(query: Collection[str], known: Collection[str]) -> str:
    """Which names in the address no part of the page reads, as a sentence; empty where all are known."""
    names = sorted(name for name in query if name not in known)
    if not names:
        return ""
    said = ", ".join(f"“{name[:40]}”" for name in names[:5])
    return f"This page has no filter {said}; it was left out."
