"""The organisation's fiscal years and their months. Pure.

A fiscal year is named by the calendar year in which it begins; its months are given by their first days.
"""

import re
from datetime import date

from budgets.pages.moments import MONTHS

FIRST_YEAR, LAST_YEAR = 2000, 2199
WRITTEN = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})(-\d{1,2})?"),
    re.compile(r"(?P<month>\d{1,2})[/.](?P<year>\d{4})"),
    re.compile(r"(?P<name>[A-Za-z]{3,9})\.? (?P<year>\d{4})"),
)


def year_of(day: date, fiscal_year_starts: int) -> int:
    """The fiscal year that `day` lies in."""
    return day.year if day.month >= fiscal_year_starts else day.year - 1


def months_of(year: int, fiscal_year_starts: int) -> tuple[date, ...]:
    """Its twelve months."""
    return tuple(month_after(date(year, fiscal_year_starts, 1), n) for n in range(12))


def month_after(month: date, count: int = 1) -> date:
    """The first day of the month so many months later."""
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def label(year: int, fiscal_year_starts: int) -> str:
    """ "2026", or "2026/27" where it ends in another calendar year."""
    return str(year) if fiscal_year_starts == 1 else f"{year}/{(year + 1) % 100:02}"


def month_words(month: date) -> str:
    """ "Nov 2026"."""
    return f"{MONTHS[month.month - 1]} {month.year}"


def written_month(text: str) -> date:
    """The month that "2026-11", "2026-11-01", "11/2026" or "Nov 2026" means; ValueError carries the sentence."""
    for shape in WRITTEN:
        found = shape.fullmatch(" ".join(text.split()))
        if not found:
            continue
        parts = found.groupdict()
        name = (parts.get("name") or "")[:3].capitalize()
        month = MONTHS.index(name) + 1 if name in MONTHS else int(parts.get("month") or 0)
        if 1 <= month <= 12 and FIRST_YEAR <= int(parts["year"]) <= LAST_YEAR:
            return date(int(parts["year"]), month, 1)
    raise ValueError("Write the month like 2026-11.")
