"""Which workflows, teams and models are watched, and what they used by quarter hours: SQL on rollups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from budgets.limits.calendar import day_of
from budgets.models import NANO, Organisation, Team, Workflow
from reports.unusual.measures import Sums

WORKFLOW, TEAM, MODEL = "workflow", "team", "model"
DIMENSIONS: Mapping[str, str] = {WORKFLOW: "Workflow", TEAM: "Team", MODEL: "Model"}
MOST = {WORKFLOW: 60, TEAM: 20, MODEL: 20}  # the costliest; the others are watched by their team or model
LOOKED_AT = timedelta(days=28)
FLOOR = NANO  # who spends less than a dollar in four weeks is not watched

# A merged workflow counts as the one it was merged into.
JOINED = "{table} q JOIN budgets_workflow w ON w.id = q.workflow_id"
KEYS = {WORKFLOW: "coalesce(w.merged_into_id, w.id)::text", TEAM: "q.team", MODEL: "q.model"}
CHOSEN = """
SELECT {key} AS key, sum(q.cost)::bigint AS cost, min(q.day) AS first FROM {rows}
WHERE q.day >= %(first)s AND {key} <> '' GROUP BY 1 HAVING sum(q.cost) >= %(floor)s
ORDER BY 2 DESC, 1 LIMIT %(most)s
"""
USED = """
SELECT {key} AS key, extract(epoch FROM q.bucket)::bigint AS at, sum(q.calls)::bigint,
    sum(q.calls - q.unmeasured)::bigint, sum(q.retries)::bigint, sum(q.cost)::bigint,
    sum(q.input_tokens + q.output_tokens)::bigint, sum(q.output_tokens)::bigint
FROM {rows} WHERE q.bucket >= %(starts)s AND q.bucket < %(stops)s AND {key} = ANY(%(keys)s) GROUP BY 1, 2
"""
RUN_KEYS = {WORKFLOW: KEYS[WORKFLOW], TEAM: "coalesce(mt.slug, t.slug)"}
RUNS = """
SELECT {key} AS key,
    extract(epoch FROM date_bin('15 minutes', q.last_call, timestamptz '2000-01-01 00:00:00+00'))::bigint AS at,
    count(*), sum(q.cost)::bigint
FROM usage_run q JOIN budgets_workflow w ON w.id = q.workflow_id
    LEFT JOIN budgets_team t ON t.id = w.team_id LEFT JOIN budgets_workflow m ON m.id = w.merged_into_id
    LEFT JOIN budgets_team mt ON mt.id = m.team_id
WHERE q.calls > 0 AND q.last_call >= %(starts)s AND q.last_call < %(stops)s AND {key} = ANY(%(keys)s) GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Something that is watched. `key` is a workflow's id, a team's short name or a model's name; `first_day` the first
    of the last four weeks on which it was used, `a_day` the nano-dollars that it spent a day since then."""

    dimension: str
    key: str
    name: str
    workflow_id: int | None = None
    team_id: int | None = None
    first_day: date | None = None
    a_day: int = 0


def watched(now: datetime) -> list[Scope]:
    """The costliest of the last four weeks: workflows first, since what they explain is not told again. Five
    statements."""
    zone = Organisation.get().zone
    first, today = day_of(now - LOOKED_AT, zone), day_of(now, zone)
    found = []
    for dimension in DIMENSIONS:
        chosen = _chosen(dimension, first, MOST[dimension])
        for scope in named(dimension, list(chosen)):
            cost, day = chosen[scope.key]
            a_day = cost // max(1, (today - day).days)
            found.append(replace(scope, first_day=day, a_day=a_day))
    return found


def named(dimension: str, keys: Sequence[str]) -> list[Scope]:
    """These keys with the names they have now; those that are gone are left out."""
    if dimension == MODEL:
        return [Scope(MODEL, key, key) for key in keys]
    if dimension == TEAM:
        teams = {one.slug: one for one in Team.objects.filter(slug__in=keys)}
        return [Scope(TEAM, key, teams[key].name, None, teams[key].pk) for key in keys if key in teams]
    rows = {str(one.pk): one for one in Workflow.objects.filter(pk__in=[int(key) for key in keys])}
    return [Scope(WORKFLOW, key, rows[key].name, rows[key].pk, rows[key].team_id) for key in keys if key in rows]


def used(dimension: str, keys: Sequence[str], starts: datetime, stops: datetime) -> dict[str, dict[int, Sums]]:
    """Key → epoch second of a quarter hour → what was used, between two instants on quarter hours. Two statements."""
    values: dict[str, Any] = {"starts": starts, "stops": stops, "keys": list(keys)}
    found: dict[str, dict[int, Sums]] = {key: {} for key in keys}
    for key, at, *rest in _rows(USED, dimension, "usage_quarterhour", values):
        found[key][at] = Sums(*rest)
    if dimension in RUN_KEYS:
        with connection.cursor() as cursor:
            cursor.execute(RUNS.format(key=RUN_KEYS[dimension]), values)
            for key, at, runs, cost in cursor.fetchall():
                found[key][at] = found[key].get(at, Sums()) + Sums(runs=runs, run_cost=cost)
    return found


def epoch(when: datetime) -> int:
    return int(when.timestamp())


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _chosen(dimension: str, first: date, most: int) -> dict[str, tuple[int, date]]:
    """Key → nano-dollars and first day, the costliest first."""
    rows = _rows(CHOSEN, dimension, "usage_coreday", {"first": first, "floor": FLOOR, "most": most})
    return {key: (cost, day) for key, cost, day in rows}


def _rows(statement: str, dimension: str, table: str, values: Mapping[str, Any]) -> list[Any]:
    rows = JOINED.format(table=table) if dimension == WORKFLOW else f"{table} q"
    with connection.cursor() as cursor:
        cursor.execute(statement.format(key=KEYS[dimension], rows=rows), values)
        return list(cursor.fetchall())
