"""Slow growth over weeks, which no series of hours shows: six weeks of whole days, looked at once a day."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import NANO, Organisation
from reports.models import Finding, Watch
from reports.unusual.creep import Creep
from reports.unusual.keeping import MINIMUM, OF_COMPANY, WATCH_LOCK
from reports.unusual.runaways import sum_of
from reports.unusual.scopes import WORKFLOW, Scope, epoch, named

WEEK, WEEKS = 7, 6
THRESHOLD = 0.5
LASTS = timedelta(days=14)  # then it may be told again, with what it is by then
SECONDS = 86_400
SUMS = """
SELECT coalesce(w.merged_into_id, w.id)::text, q.day, sum(q.cost)::bigint
FROM usage_coreday q JOIN budgets_workflow w ON w.id = q.workflow_id
WHERE q.day >= %s AND q.day < %s GROUP BY 1, 2
"""


def look_for_creep(now: datetime | None = None) -> list[Finding]:
    """The workflows that grew week by week, once a day after midnight; those of before that do not any more end."""
    now = now or timezone.now()
    organisation = Organisation.get()
    today = day_of(now, organisation.zone)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WATCH_LOCK])
        if not cursor.fetchone()[0]:
            return []
        row, _ = Watch.objects.get_or_create(pk=1)
        if row.creep_on == today:
            return []
        first = today - WEEKS * WEEK * DAY
        cursor.execute(SUMS, [first, today])
        spent: dict[str, dict[date, int]] = {}
        for key, day, cost in cursor.fetchall():
            spent.setdefault(key, {})[day] = cost
        growing = {key: days for key, days in spent.items() if is_creeping(days, first, today)}
        _end(set(growing), now)
        scopes = {one.key: one for one in named(WORKFLOW, list(growing))}
        week = sum(days.get(today - n * DAY, 0) for days in spent.values() for n in range(1, WEEK + 1))
        least = max(MINIMUM, week // OF_COMPANY)
        found = [
            finding
            for key, days in growing.items()
            if key in scopes and (finding := _kept(scopes[key], days, today, now, organisation.zone, least))
        ]
        Watch.objects.filter(pk=1).update(creep_on=today)
        return found


def is_creeping(days: dict[date, int], first: date, today: date) -> bool:
    """Whether the days (nano-dollars) up to yesterday rise slowly and surely, by the measure of `creep.py`."""
    seen = Creep()
    used = [day for day in days if days[day] > 0]
    if not used:
        return False
    day = max(first, min(used))
    while day <= today:  # today is not over; that it began completes yesterday
        seen.add(day.toordinal(), days.get(day, 0) / NANO if day < today else 0.0)
        day += DAY
    return seen.score >= THRESHOLD


def _end(growing: set[str], now: datetime) -> None:
    rows = Finding.objects.filter(kind=Finding.Kind.CREEP, ended_at=None)
    rows.exclude(key__in=growing).update(ended_at=now)
    rows.filter(until__lte=now - LASTS).update(ended_at=now)


def _kept(scope: Scope, days: dict[date, int], today: date, now: datetime, zone: Any, least: int) -> Finding | None:
    """Each of the last seven days beside the same weekday four weeks before; `least` nano-dollars above are told."""
    known = Finding.objects.filter(kind=Finding.Kind.CREEP, dimension=WORKFLOW, key=scope.key)
    recent = known.filter(until__gt=now - LASTS)
    if recent.exists() or known.filter(ended_at=None).exists():
        return None
    points = []
    for n in range(WEEK, 0, -1):
        day = today - n * DAY
        usual = days.get(day - 28 * DAY, 0)
        points.append([epoch(day_starts_at(day, zone)), days.get(day, 0), usual, usual, usual])
    finding = Finding(
        kind=Finding.Kind.CREEP, dimension=WORKFLOW, key=scope.key, workflow_id=scope.workflow_id,
        team_id=scope.team_id, name=scope.name[:200], grain=SECONDS, points=points, found_at=now,
        since=day_starts_at(today - WEEK * DAY, zone), until=day_starts_at(today, zone),
        cause="It rose slowly and steadily over the last weeks; no single day stands out.",
    )  # fmt: skip
    sum_of(finding)
    if (finding.amount or 0) < least or _is_taught(known, finding):
        return None
    finding.save()
    return finding


def _is_taught(known: Any, finding: Finding) -> bool:
    """Somebody said that this much is expected."""
    return any(finding.actual <= one.actual for one in known.filter(taught=True))
