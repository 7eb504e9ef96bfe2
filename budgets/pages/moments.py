"""Days and moments in words. Pure. The organisation's time zone has been applied by the caller."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def day(value: date) -> str:
    """ "18 Nov"."""
    return f"{value.day} {MONTHS[value.month - 1]}"


def day_year(value: date) -> str:
    """ "18 Nov 2026"."""
    return f"{day(value)} {value.year}"


def weekday(value: date) -> str:
    """ "Wed 18 Nov"."""
    return f"{DAYS[value.weekday()]} {day(value)}"


def weekday_year(value: date) -> str:
    """ "Wed 18 Nov 2026"."""
    return f"{weekday(value)} {value.year}"


def axis_days(days: Sequence[date]) -> tuple[list[str], list[str]]:
    """What a chart says of each day, on its axis and when pointed at; with the year where there are several."""
    one_year = len({one.year for one in days}) < 2
    short, full = (day, weekday) if one_year else (day_year, weekday_year)
    return [short(one) for one in days], [full(one) for one in days]


def span(first: date, last: date) -> str:
    """ "1–18 Nov", "28 Sep–3 Oct", "18 Nov"; the year is the reader's business (`span_year`)."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    return f"{day(first)}–{day(last)}"


def span_year(first: date, last: date) -> str:
    """The same with the year, and with both where they differ."""
    if first.year != last.year:
        return f"{day_year(first)}–{day_year(last)}"
    return f"{span(first, last)} {last.year}"


def place(time_zone: str) -> str:
    """ "Berlin" of Europe/Berlin."""
    return time_zone.rsplit("/", 1)[-1].replace("_", " ")


def clock(value: datetime) -> str:
    """ "09:40"."""
    return f"{value:%H:%M}"


def moment(value: datetime, now: datetime) -> str:
    """ "09:40" today, "18 Nov, 09:40" before; both in the organisation's zone."""
    return clock(value) if value.date() == now.date() else f"{day(value.date())}, {clock(value)}"


def ago(gap: timedelta) -> str:
    """ "just now", "20 seconds ago", "4 minutes ago", "3 hours ago", "2 days ago"."""
    seconds = max(0, int(gap.total_seconds()))
    if seconds < 5:
        return "just now"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
