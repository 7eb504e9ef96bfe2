"""Write planned activity as an iCalendar file, so that other calendars and another TokenOps read the same."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vRecur

from budgets.activities.recurrence import BadRule, read
from budgets.limits.calendar import DAY
from budgets.models import PlannedActivity


def uid_of(row: PlannedActivity) -> str:
    """The identity in files: its own from the file it came from, else made of its number."""
    return row.uid or f"activity-{row.pk}@tokenops"


def calendar_file(rows: Iterable[PlannedActivity], zone: ZoneInfo, now: datetime) -> bytes:
    """All of `rows`, what repeats by its rule. Whole days as dates, times in the organisation's zone."""
    file = Calendar()
    file.add("prodid", "-//TokenOps//Planned activity//EN")
    file.add("version", "2.0")
    for row in rows:
        file.add_component(_event(row, zone, now))
    file.add_missing_timezones()
    return bytes(file.to_ical())


def _event(row: PlannedActivity, zone: ZoneInfo, now: datetime) -> Event:
    event = Event()
    event.add("uid", uid_of(row))
    event.add("dtstamp", now.astimezone(UTC))
    event.add("summary", row.name)
    starts, ends = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
    event.add("dtstart", starts.date() if row.is_all_day else starts)
    event.add("dtend", max(ends.date(), starts.date() + DAY) if row.is_all_day else ends)
    if row.note:
        event.add("description", row.note)
    if row.recurrence:
        _repeat(event, row, starts, zone)
    event.add("x-tokenops-kind", row.kind)
    event.add("x-tokenops-expects", row.expects)
    if row.factor is not None:
        event.add("x-tokenops-factor", f"{row.factor:f}")
    return event


def _repeat(event: Event, row: PlannedActivity, starts: datetime, zone: ZoneInfo) -> None:
    try:
        rule = read(row.recurrence)
    except BadRule:
        return
    until: date | datetime | None = rule.until
    if rule.until and not row.is_all_day:  # the standard wants an instant in UTC then
        until = datetime.combine(rule.until, time(23, 59, 59), zone).astimezone(UTC)
    repeats = vRecur.from_ical(str(rule).partition(";UNTIL=")[0])
    if until:
        repeats["UNTIL"] = [until]
    event.add("rrule", repeats)
    for day in row.skipped_days:
        at = date.fromisoformat(day)
        event.add("exdate", at if row.is_all_day else datetime.combine(at, starts.timetz().replace(tzinfo=None), zone))
