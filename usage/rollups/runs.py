"""Counting runs: a run is told by its workflow and `run_id`, and names that were merged are one workflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# Only runs under several names have to be found together; the others are told apart by their rows.
COUNTED = """
WITH shared AS MATERIALIZED (
    SELECT one.id, coalesce(one.merged_into_id, one.id) AS counts_as FROM budgets_workflow one
    WHERE one.merged_into_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM budgets_workflow alias WHERE alias.merged_into_id = one.id)
), part AS (
    SELECT workflow_id, run_id, cost, reworks > 0 AS reworked, outcome <> 'open' AS judged,
        outcome IN ('approved', 'shipped') AS approved, outcome IN ('approved', 'shipped', 'rejected') AS reviewed
    FROM usage_run WHERE calls > 0 AND last_call >= %(starts)s AND last_call < %(stops)s
        AND (%(workflows)s::int[] IS NULL OR workflow_id = ANY(%(workflows)s::int[]))
), run AS (
    SELECT cost, judged, reviewed, approved, reworked FROM part WHERE workflow_id NOT IN (SELECT id FROM shared)
    UNION ALL
    SELECT sum(cost), bool_or(judged), bool_or(reviewed), bool_or(approved), bool_or(reworked)
    FROM part JOIN shared ON shared.id = part.workflow_id GROUP BY counts_as, run_id
)
SELECT count(*), coalesce(sum(cost), 0)::bigint,
    count(*) FILTER (WHERE judged), coalesce(sum(cost) FILTER (WHERE judged), 0)::bigint,
    count(*) FILTER (WHERE reviewed), count(*) FILTER (WHERE approved), count(*) FILTER (WHERE reviewed AND reworked)
FROM run
"""


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs and what they cost; of them those that have an outcome, that a person reviewed, approved, had reworked.

    Money in nano-dollars. A run under several names has the best of their outcomes.
    """

    runs: int
    cost: int
    judged: int
    judged_cost: int
    reviewed: int
    approved: int
    reworked: int


def count_runs(starts: datetime, stops: datetime, workflows: Sequence[int] | None = None) -> Runs:
    """Those whose last call lies in the window; of these workflows (aliases stated too), or all. One statement."""
    with connection.cursor() as cursor:
        ids = None if workflows is None else list(workflows)
        cursor.execute(COUNTED, {"starts": starts, "stops": stops, "workflows": ids})
        return Runs(*cursor.fetchone())
