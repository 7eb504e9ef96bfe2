"""What only single calls know: which agents repeat themselves, and which customer a run was for. Read from the ledger.

Of no more calls than the explorer reads (`READ_MOST`); beyond that it is not said.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from reports.asking.scope import Scope
from reports.asking.window import Window
from usage.rollups.sums import CALLS

ROWS = "posted_at >= %(starts)s AND posted_at < %(stops)s"
AGENTS = f"""
SELECT agent, coalesce(sum({CALLS}), 0)::bigint, coalesce(sum({CALLS}) FILTER (WHERE attempt > 1), 0)::bigint,
    sum(cost)::bigint, count(DISTINCT (workflow_id, run_id)) FILTER (WHERE run_id <> ''),
    coalesce(max(step), 0)
FROM usage_ledger WHERE {ROWS} AND agent <> '' AND {{asked}} GROUP BY agent
HAVING sum({CALLS}) > 0 ORDER BY 3 DESC, 6 DESC, 4 DESC NULLS LAST, 1"""
# A run counts at its own time what its row says less its postings, and each posting at its own time.
REVENUE = f"""
WITH stated AS (
    SELECT workflow_id, run_id, revenue FROM usage_run
    WHERE counts_at >= %(starts)s AND counts_at < %(stops)s AND revenue <> 0 AND calls > 0
    UNION ALL
    SELECT posting.workflow_id, posting.run_id, -posting.revenue
    FROM usage_runposting AS posting JOIN usage_run AS run USING (workflow_id, run_id)
    WHERE run.counts_at >= %(starts)s AND run.counts_at < %(stops)s AND posting.revenue <> 0
    UNION ALL
    SELECT workflow_id, run_id, revenue FROM usage_runposting
    WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND revenue <> 0
), earned AS (
    SELECT workflow_id, run_id, sum(revenue)::bigint AS revenue FROM stated GROUP BY 1, 2 HAVING sum(revenue) <> 0
), whose AS (
    SELECT workflow_id, run_id, min(customer) AS customer FROM usage_ledger JOIN earned USING (workflow_id, run_id)
    WHERE {ROWS} AND customer <> '' AND {{asked}} GROUP BY 1, 2 HAVING count(DISTINCT customer) = 1
)
SELECT customer, sum(revenue)::bigint FROM whose JOIN earned USING (workflow_id, run_id) GROUP BY 1"""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent's calls; `longest` is the highest step of any. `cost` in nano-dollars; None where none has a price."""

    name: str
    calls: int
    retries: int
    cost: int | None
    runs: int
    longest: int


def agents(scope: Scope, window: Window) -> list[Agent]:
    """Those that calls name, the ones that repeat most first. One statement."""
    return [Agent(*row) for row in _rows(AGENTS, scope, window)]


def revenue_by_customer(scope: Scope, window: Window) -> dict[str, int]:
    """Nano-dollars of runs whose calls in these days name one customer. One statement."""
    return dict(_rows(REVENUE, scope, window))


def _rows(statement: str, scope: Scope, window: Window) -> list[Any]:
    values: dict[str, Any] = {"starts": window.starts_at, "stops": window.stops_at}
    with connection.cursor() as cursor:
        cursor.execute(statement.format(asked=scope.ledger_sql(values)), values)
        return list(cursor.fetchall())
