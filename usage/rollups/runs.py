"""Counting runs: a run is told by its workflow and `run_id`, and names that were merged are one workflow.

A run counts at the posting time of its last call. Once that is closed it stays there, as it was: what becomes of it
later counts when that comes about. So a run counts at its own time what its row says less all its postings, and each
posting at the posting's time. Whole days of the organisation's zone are read as they are summed (`run_days`); other
windows, and runs of merged names in any window, from the runs.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from usage.rollups.counted import COUNTED, DECIMALS, FLAGS, Runs, counted
from usage.rollups.sums import ZONE_OF_DAYS

WITHIN = "(%(workflows)s::int[] IS NULL OR {row}.workflow_id = ANY(%(workflows)s::int[]))"
# Rows without calls count nothing and are left out, so that nothing need be asked of each.
OF_ROW = counted("run", "1", "run.cost", "run.max_step")
ORDERED = ", ".join(COUNTED)
# A run under several names has the best of their outcomes, and what all of them cost.
BEST = {name: f"max({name})" for name in FLAGS} | {
    "rejected": "CASE WHEN max(completed) > 0 THEN 0 ELSE max(rejected) END",
    "failed": "CASE WHEN max(completed) > 0 OR max(rejected) > 0 THEN 0 ELSE max(failed) END",
    "judged_cost": "CASE WHEN max(judged) > 0 THEN sum(cost) ELSE 0 END",
    "steps": "max(steps)",
    "shipped_revenue": "CASE WHEN max(shipped) > 0 THEN sum(revenue) ELSE 0 END",
}
# As a list, so that the few that are shared are looked up and the many others are not read.
SHARED = "{row}.workflow_id = ANY(ARRAY(SELECT id FROM shared))"
UNSHARED = "{row}.workflow_id NOT IN (SELECT id FROM shared)"
# Days of the organisation's zone are read from day sums, any other stretch from what they are made of.
ASKED = f"""days AS (SELECT ({ZONE_OF_DAYS}) AS zone), asked AS (
    SELECT zone, (%(starts)s::timestamptz AT TIME ZONE zone)::date AS first,
        (%(stops)s::timestamptz AT TIME ZONE zone)::date AS after FROM days
), whole AS (
    SELECT first, after, first::timestamp AT TIME ZONE zone = %(starts)s::timestamptz
        AND after::timestamp AT TIME ZONE zone = %(stops)s::timestamptz AS is_whole FROM asked
)"""
OF_DAYS = (
    "(SELECT is_whole FROM whole) AND {row}.day >= (SELECT first FROM whole) AND {row}.day < (SELECT after FROM whole)"
)
NOT_OF_DAYS = "NOT (SELECT is_whole FROM whole)"


def _own(which: str, group: str, wrap: str) -> str:
    """What runs of the window count at their own time: their rows, and less their postings."""
    runs = ", ".join(wrap.format(OF_ROW[name]) + f" AS {name}" for name in COUNTED)
    less = ", ".join(wrap.format(f"0 - posting.{name}") for name in COUNTED)
    at, ids = "run.counts_at >= %(starts)s AND run.counts_at < %(stops)s", "{row}.workflow_id, {row}.run_id"
    ids = ids if group == "run" else "{row}.workflow_id"
    name = "run_id" if group == "run" else "counts_as"
    end = "GROUP BY {row}.workflow_id" if group == "workflow" else ""
    return f"""
    SELECT {ids.format(row="run")} AS {name}, {runs} FROM usage_run AS run
    WHERE run.calls > 0 AND {at} AND {WITHIN.format(row="run")} AND {which.format(row="run")} {end.format(row="run")}
    UNION ALL
    SELECT {ids.format(row="posting")}, {less}
    FROM usage_runposting AS posting JOIN usage_run AS run USING (workflow_id, run_id)
    WHERE {at} AND {WITHIN.format(row="posting")} AND {which.format(row="posting")} {end.format(row="posting")}"""


# Only runs under several names have to be found together; the others are summed where they stand.
RUNS = f"""
WITH {ASKED}, shared AS MATERIALIZED (
    SELECT one.id, coalesce(one.merged_into_id, one.id) AS counts_as FROM budgets_workflow one
    WHERE one.merged_into_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM budgets_workflow alias WHERE alias.merged_into_id = one.id)
), part AS ({_own(SHARED, "run", "{}")}
), run AS (
    SELECT day.workflow_id AS counts_as, {", ".join(f"day.{name}" for name in COUNTED)} FROM usage_runday AS day
    WHERE {OF_DAYS.format(row="day")} AND {WITHIN.format(row="day")} AND {UNSHARED.format(row="day")}
    UNION ALL{_own(f"{UNSHARED} AND {NOT_OF_DAYS}", "workflow", "sum({})")}
    UNION ALL
    SELECT counts_as, {", ".join(BEST.get(name, f"sum({name})") for name in COUNTED)} FROM (
        SELECT counts_as, workflow_id, run_id, {", ".join(f"sum({name}) AS {name}" for name in COUNTED)}
        FROM part JOIN shared ON shared.id = part.workflow_id GROUP BY counts_as, workflow_id, run_id
    ) AS name GROUP BY counts_as, run_id
    UNION ALL
    SELECT counts_as, {ORDERED} FROM usage_runposting AS posting JOIN shared ON shared.id = posting.workflow_id
    WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND {WITHIN.format(row="posting")}
    UNION ALL
    SELECT posting.workflow_id, {ORDERED} FROM usage_runposting AS posting
    WHERE {NOT_OF_DAYS} AND posted_at >= %(starts)s AND posted_at < %(stops)s
        AND {WITHIN.format(row="posting")} AND {UNSHARED.format(row="posting")}
)"""
SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in COUNTED)
TOTAL = f"{RUNS} SELECT {SUMS} FROM run"
BY_WORKFLOW = f"{RUNS} SELECT counts_as, {SUMS} FROM run GROUP BY counts_as"
SPENT = f"""
WITH {ASKED}, spent AS (
    SELECT day.workflow_id, day.cost_in_runs FROM usage_coreday AS day
    WHERE {OF_DAYS.format(row="day")} AND {WITHIN.format(row="day")}
    UNION ALL
    SELECT hour.workflow_id, hour.cost_in_runs FROM usage_quarterhour AS hour
    WHERE {NOT_OF_DAYS} AND hour.bucket >= %(starts)s AND hour.bucket < %(stops)s
        AND {WITHIN.format(row="hour")}
)
SELECT coalesce(flow.merged_into_id, flow.id), coalesce(sum(cost_in_runs), 0)::bigint
FROM spent JOIN budgets_workflow AS flow ON flow.id = spent.workflow_id GROUP BY 1"""


def count_runs(starts: datetime, stops: datetime, workflows: Sequence[int] | None = None) -> Runs:
    """Those that count in the window; of these workflows (aliases stated too), or all. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(TOTAL, _asked(starts, stops, workflows))
        return _runs(cursor.fetchone())


def runs_by_workflow(starts: datetime, stops: datetime, workflows: Sequence[int] | None = None) -> dict[int, Runs]:
    """The same for each workflow (the one it counts as) that has any; they sum to `count_runs`. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(BY_WORKFLOW, _asked(starts, stops, workflows))
        return {row[0]: _runs(row[1:]) for row in cursor.fetchall() if any(row[1:])}


def spent_in_runs(starts: datetime, stops: datetime, workflows: Sequence[int] | None = None) -> dict[int, int]:
    """What calls of runs cost that were posted in the window, nano-dollars, by the workflow it counts as.

    Failures and rework included: over approved runs it is the cost per approved asset, everywhere. One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(SPENT, _asked(starts, stops, workflows))
        return {workflow: int(cost) for workflow, cost in cursor.fetchall()}


def assets_of(starts: datetime, stops: datetime, workflows: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Workflow it counts as → approved runs and the cost of all its runs; absent where none was approved.

    Two statements, one where no run counts.
    """
    approved = {pk: one.approved for pk, one in runs_by_workflow(starts, stops, workflows).items() if one.approved > 0}
    spent = spent_in_runs(starts, stops, workflows) if approved else {}
    return {pk: (count, spent.get(pk, 0)) for pk, count in approved.items()}


def _asked(starts: datetime, stops: datetime, workflows: Sequence[int] | None) -> dict[str, Any]:
    return {"starts": starts, "stops": stops, "workflows": None if workflows is None else list(workflows)}


def _runs(row: Sequence[Any]) -> Runs:
    sums: Any = {
        name: Decimal(value) if name in DECIMALS else int(value) for name, value in zip(COUNTED, row, strict=True)
    }
    return Runs(**sums)
