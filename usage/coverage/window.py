"""The days that data health is asked for. Pure: no Django, no models. Days are the organisation's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from budgets.limits.calendar import DAY, day_of, day_starts_at, period_bounds
from budgets.pages.moments import day_year, span_year

PERIODS = {
    "this-month": "This month",
    "7d": "Last 7 days",
    "last-month": "Last month",
    "custom": "Days you choose",
}
DEFAULT = "this-month"
LONGEST = 400  # days


@dataclass(frozen=True, slots=True)
class Window:
    """Days `first` to `last`, both included. `note` says what of the address was not understood."""

    period: str
    first: date
    last: date
    zone: ZoneInfo
    note: str = ""

    @property
    def label(self) -> str:
        return PERIODS[self.period]

    @property
    def days_words(self) -> str:
        return span_year(self.first, self.last)

    @property
    def starts_at(self) -> datetime:
        return day_starts_at(self.first, self.zone)

    @property
    def stops_at(self) -> datetime:
        """The first instant after the last day."""
        return day_starts_at(self.last + DAY, self.zone)

    @property
    def query(self) -> dict[str, str]:
        """What the address says to come back here."""
        if self.period != "custom":
            return {"period": self.period}
        return {"period": "custom", "from": self.first.isoformat(), "to": self.last.isoformat()}


def window_of(query: Mapping[str, str], now: datetime, zone: ZoneInfo) -> Window:
    """The window that `period` (and `from`, `to`) name; this month, with a note, where they make no sense."""
    today, period = day_of(now, zone), query.get("period", DEFAULT)
    if period == "7d":
        return Window(period, today - 7 * DAY, today - DAY, zone)
    month = period_bounds("month", today, zone)
    if period == "last-month":
        before = period_bounds("month", month.first - DAY, zone)
        return Window(period, before.first, before.last, zone)
    if period == "custom":
        first, last, note = custom_days(query, today)
        if not note:
            return Window(period, first, last, zone)
        return Window(DEFAULT, month.first, today, zone, f"{note} This month is shown.")
    note = "" if period == DEFAULT else f"“{period[:40]}” is no period that TokenOps knows, so this month is shown."
    return Window(DEFAULT, month.first, today, zone, note)


def custom_days(query: Mapping[str, str], today: date) -> tuple[date, date, str]:
    """The days that were chosen, or why they cannot be shown."""
    try:
        first, last = date.fromisoformat(query.get("from", "")), date.fromisoformat(query.get("to", ""))
    except ValueError:
        return today, today, "Choose the first and the last day, written like 2026-11-30."
    if last < first:
        return today, today, f"{day_year(last)} is before {day_year(first)}; turn the two days around."
    if first > today:
        return today, today, f"{day_year(first)} is still to come."
    if (last - first).days >= LONGEST or first.year < 2000:
        return today, today, f"That is more than {LONGEST} days; choose fewer."
    return first, min(last, today), ""
