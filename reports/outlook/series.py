"""What every subject used, day by day and hour by hour: the histories that forecasts are made from.

All from rollups and the budgets' own series; a statement for each kind of subject and grain, however many there are.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from budgets.limits.calendar import DAY, day_of, day_starts_at
from reports.models import Outlook

DAYS_BACK, HOURS_BACK = 400, 24 * 60
HOUR = timedelta(hours=1)
Kind, Grain = Outlook.Kind, Outlook.Grain
Subject = tuple[str, str]  # kind and key

# By quarter hours where hours are asked for; hours are counted from the first instant, since clocks may change.
AT = {
    Grain.DAY: "(bucket AT TIME ZONE %(zone)s)::date",
    Grain.HOUR: "floor(extract(epoch FROM bucket - %(starts)s) / 3600)::int",
}
USED = """
SELECT grouping(team) AS no_team, grouping(counts_as) AS no_workflow, coalesce(team, ''), coalesce(counts_as, ''),
    at, sum(cost)::bigint
FROM (
    SELECT {at} AS at, used.team, coalesce(merged.slug, workflow.slug) AS counts_as, used.cost
    FROM usage_quarterhour AS used JOIN budgets_workflow AS workflow ON workflow.id = used.workflow_id
    LEFT JOIN budgets_workflow AS merged ON merged.id = workflow.merged_into_id
    WHERE bucket >= %(starts)s AND bucket < %(stops)s
) AS one GROUP BY GROUPING SETS ((at), (at, team), (at, counts_as))
"""
CHARGED = """
SELECT budget_id, {at} AS at, sum(series.amount)::bigint
FROM budgets_budgetseries AS series JOIN budgets_budget AS budget ON budget.id = series.budget_id
WHERE bucket >= %(starts)s AND bucket < %(stops)s AND budget.status <> 'archived' GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Histories:
    """Subject → place → what was used; places count from `first` (days) or from `starts_at` (hours)."""

    grain: str
    first: date
    starts_at: datetime
    count: int
    used: Mapping[Subject, Mapping[int, int]]

    def values(self, subject: Subject) -> list[float]:
        """From the first use on, with zeros where nothing was used; empty where nothing ever was."""
        found = self.used.get(subject)
        if not found:
            return []
        return [float(found.get(place, 0)) for place in range(min(found), self.count)]

    def began(self, subject: Subject) -> date | None:
        """The day (of days) of the first use."""
        found = self.used.get(subject)
        return self.first + min(found) * DAY if found else None

    def between(self, subject: Subject, first: date, last: date) -> int:
        """What was used on these days, both included; of days only."""
        found = self.used.get(subject, {})
        start, stop = (first - self.first).days, (last - self.first).days
        return sum(amount for place, amount in found.items() if start <= place <= stop)

    def subjects(self) -> Iterator[Subject]:
        yield from self.used


def read_days(today: date, zone: ZoneInfo) -> Histories:
    """The complete days before `today`. Two statements."""
    first = today - DAYS_BACK * DAY
    return _read(Grain.DAY, first, day_starts_at(first, zone), day_starts_at(today, zone), DAYS_BACK, zone)


def read_hours(now: datetime, zone: ZoneInfo) -> Histories:
    """The complete hours before `now`. Two statements."""
    stops = now.replace(minute=0, second=0, microsecond=0)
    starts = stops - HOURS_BACK * HOUR
    return _read(Grain.HOUR, day_of(starts, zone), starts, stops, HOURS_BACK, zone)


def _read(grain: str, first: date, starts: datetime, stops: datetime, count: int, zone: ZoneInfo) -> Histories:
    used: dict[Subject, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    params: dict[str, Any] = {"zone": zone.key, "starts": starts, "stops": stops}

    def place(at: date | int) -> int:
        return at if isinstance(at, int) else (at - first).days

    with connection.cursor() as cursor:
        cursor.execute(USED.format(at=AT[Grain(grain)]), params)
        for no_team, no_workflow, team, workflow, at, cost in cursor.fetchall():
            if no_team and no_workflow:
                used[Kind.ORGANISATION, ""][place(at)] += cost
            elif no_workflow:
                used[Kind.TEAM, team][place(at)] += cost
            else:
                used[Kind.WORKFLOW, workflow][place(at)] += cost
        cursor.execute(CHARGED.format(at=AT[Grain(grain)]), params)
        for budget, at, amount in cursor.fetchall():
            used[Kind.BUDGET, str(budget)][place(at)] += amount
    return Histories(grain, first, starts, count, {subject: dict(places) for subject, places in used.items()})
