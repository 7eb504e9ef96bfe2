"""The months that statements and files are made for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from budgets.limits.calendar import DAY
from budgets.models import Organisation
from budgets.pages.moments import day_year
from budgets.plan.year import FIRST_YEAR, month_after, month_words, written_month

OFFERED = 24  # months back that a page offers; older ones are found by their address


class MonthConverter:
    """ "2026-10" in an address, as the first day of that month."""

    regex = r"[12][0-9]{3}-(?:0[1-9]|1[0-2])"

    def to_python(self, value: str) -> date:
        found = date.fromisoformat(f"{value}-01")
        if found.year < FIRST_YEAR:
            raise ValueError
        return found

    def to_url(self, value: date) -> str:
        return f"{value:%Y-%m}"


@dataclass(frozen=True, slots=True)
class Month:
    """A month by its first day."""

    first: date

    @property
    def last(self) -> date:
        return month_after(self.first) - DAY

    def is_closed(self, organisation: Organisation) -> bool:
        """Whether all its days are closed, so that nothing of it changes any more."""
        closed = organisation.closed_before
        return closed is not None and closed > self.last

    def state(self, organisation: Organisation, today: date) -> str:
        """ "Closed", "Closed up to 14 Oct 2026", "Still running" or "Open"."""
        closed = organisation.closed_before
        if self.is_closed(organisation):
            return "Closed"
        if closed is not None and closed > self.first:
            return f"Closed up to {day_year(closed - DAY)}"
        return "Still running" if self.first == today.replace(day=1) else "Open"


def months_back(today: date, month: date) -> list[date]:
    """The running month and those before it, the newest first; and `month`, which is shown, where that is older."""
    found = [month_after(today.replace(day=1), -n) for n in range(OFFERED)]
    return found if month in found else [*found, month]


def month_asked(query: Mapping[str, str], today: date) -> tuple[date, str]:
    """The month that `month` names, else the last whole one; with a sentence where it names none that began."""
    usual, text = month_after(today.replace(day=1), -1), query.get("month", "")
    if not text:
        return usual, ""
    try:
        month = written_month(text[:20])
    except ValueError:
        return usual, f"“{text[:20]}” is no month; {month_words(usual)} is shown."
    if month > today:
        return usual, f"{month_words(month)} has not begun; {month_words(usual)} is shown."
    return month, ""
