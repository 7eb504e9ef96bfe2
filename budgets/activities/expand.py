"""When planned activity happens: every occurrence in a stretch of days. Forecast and detection read it too.

What repeats is counted in the organisation's wall clock: a batch at 22:00 stays at 22:00 when the clocks change, and
lasts until the same wall-clock end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from budgets.access.reachable import reachable
from budgets.activities.recurrence import BadRule, dates, read
from budgets.limits.calendar import DAY
from budgets.models import Organisation, PlannedActivity

MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an activity happens: instants in UTC, and the first and last day of the organisation's calendar."""

    activity: PlannedActivity
    starts_at: datetime
    ends_at: datetime
    first: date
    last: date


def occurrences(first: date, last: date, team: str | None = None, kind: str = "", who: Any = None) -> list[Occurrence]:
    """All that touch `first` to `last` (both included), by start; with `team`, its own and those for everybody.

    Of those that `who` reaches, where it is given. Two statements.
    """
    zone = Organisation.get().zone
    rows = between(first, last, zone).select_related("team", "workflow")
    if who is not None:
        rows = reachable(rows, who)
    if team:
        rows = rows.filter(
            Q(team__slug=team)
            | Q(team=None, workflow=None)
            | Q(team=None, workflow__merged_into=None, workflow__team__slug=team)
            | Q(team=None, workflow__merged_into__team__slug=team)
        )
    if kind:
        rows = rows.filter(kind=kind)
    found = [one for row in rows for one in occurrences_of(row, first, last, zone)]
    return sorted(found, key=lambda one: (one.starts_at, one.activity.name, one.activity.pk))


def between(first: date, last: date, zone: ZoneInfo) -> QuerySet[PlannedActivity]:
    """Rows that may touch these days; those that repeat are decided by expanding them."""
    starts, stops = _instant(first, zone), _instant(last + DAY, zone)
    return PlannedActivity.objects.filter(
        Q(starts_at__lt=stops) & (Q(recurrence="", ends_at__gt=starts) | ~Q(recurrence=""))
    )


def occurrences_of(row: PlannedActivity, first: date, last: date, zone: ZoneInfo) -> Iterator[Occurrence]:
    """Those of one row that touch these days, in order."""
    starts = row.starts_at.astimezone(zone).replace(tzinfo=None)
    length = row.ends_at.astimezone(zone).replace(tzinfo=None) - starts
    if row.is_all_day:  # where a clock change skips midnight its first instant is later
        starts, length = starts.replace(hour=0, minute=0), timedelta(days=max(1, round(length / DAY)))
    for day in _days(row, starts.date(), first - length - DAY, last):
        begins = datetime.combine(day, starts.time())
        ends = begins + max(length, MOMENT)
        if begins.date() <= last and (ends - MOMENT).date() >= first:
            yield Occurrence(
                row,
                begins.replace(tzinfo=zone).astimezone(UTC),
                ends.replace(tzinfo=zone).astimezone(UTC),
                begins.date(),
                (ends - MOMENT).date(),
            )


def _days(row: PlannedActivity, start: date, first: date, last: date) -> Iterator[date]:
    if not row.recurrence:
        yield start
        return
    skipped = set(row.skipped_days)
    try:
        rule = read(row.recurrence)
    except BadRule:  # a row that something else wrote: it happens once, rather than never
        yield start
        return
    for day in dates(rule, start, first, last):
        if day.isoformat() not in skipped:
            yield day


def _instant(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
