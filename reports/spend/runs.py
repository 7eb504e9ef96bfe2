"""Runs behind a figure: those that count in the window, with what each cost in all, sorted and paged in SQL.

A run under several names of one workflow is one. Where more is asked for than the workflow, runs are those with a call
of it in the window, which only the ledger knows: as far as that is read at a time.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection

from reports.asking.scope import Scope
from reports.asking.window import Window
from reports.spend.sums import readable
from usage.models import Run

SORTS = {
    "cost": "cost",
    "steps": "steps",
    "calls": "calls",
    "retries": "retries",
    "outcome": "outcome",
    "ended": "last_call",
    "run": "run_id",
}
DEFAULT_SORT = "-cost"
MOST = 100_000  # runs in a file
OUTCOMES = dict(Run.Outcome.choices)
BEST = ("shipped", "approved", "completed", "reworked", "rejected", "failed", "open")

# Only runs under several names have to be found together; the others are told apart by their rows.
RUNS = """
WITH shared AS MATERIALIZED (
    SELECT one.id, coalesce(one.merged_into_id, one.id) AS counts_as FROM budgets_workflow one
    WHERE one.merged_into_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM budgets_workflow alias WHERE alias.merged_into_id = one.id)
), part AS NOT MATERIALIZED (
    SELECT workflow_id, run_id, first_call, last_call, calls, max_step AS steps, retries, unpriced, unmeasured,
        input_tokens, output_tokens, cost, outcome::text AS outcome
    FROM usage_run WHERE calls > 0 AND counts_at >= %(starts)s AND counts_at < %(stops)s AND {asked}
), run AS NOT MATERIALIZED (
    SELECT * FROM part WHERE workflow_id NOT IN (SELECT id FROM shared)
    UNION ALL
    SELECT counts_as, run_id, min(first_call), max(last_call), sum(calls)::bigint, max(steps), sum(retries)::bigint,
        sum(unpriced)::bigint, sum(unmeasured)::bigint, sum(input_tokens)::bigint, sum(output_tokens)::bigint,
        sum(cost)::bigint, (%(best)s::text[])[min(array_position(%(best)s::text[], outcome))]
    FROM part JOIN shared ON shared.id = part.workflow_id GROUP BY counts_as, run_id
), found AS NOT MATERIALIZED (
    SELECT * FROM run WHERE %(outcome)s::text = '' OR outcome = %(outcome)s
)"""
COUNT = f"""
SELECT count(*), {", ".join(f"coalesce(sum({one}), 0)::bigint" for one in ("cost", "calls", "unpriced", "unmeasured"))}
FROM found"""
SOME = """
SELECT workflow.slug, workflow.name, run_id, first_call, last_call, calls, steps, retries, unpriced, unmeasured,
    input_tokens, output_tokens, cost, outcome
FROM (SELECT * FROM found ORDER BY {order}, workflow_id, run_id LIMIT %(limit)s OFFSET %(offset)s) AS shown
JOIN budgets_workflow workflow ON workflow.id = workflow_id ORDER BY {order}, workflow_id, run_id"""
OF_CALLS = """(workflow_id, run_id) IN (SELECT workflow_id, run_id FROM usage_ledger
    WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND run_id <> '' AND {asked})"""


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run with all of its calls. Money in nano-dollars; `steps` is the highest step, 0 where none was stated."""

    workflow: str
    workflow_name: str
    run_id: str
    first_call: datetime
    last_call: datetime
    calls: int
    steps: int
    retries: int
    unpriced: int
    unmeasured: int
    input_tokens: int
    output_tokens: int
    cost: int
    outcome: str

    @property
    def outcome_words(self) -> str:
        return "" if self.outcome == "open" else OUTCOMES.get(self.outcome, self.outcome)

    @property
    def seconds(self) -> int:
        return int((self.last_call - self.first_call).total_seconds())


@dataclass(frozen=True)
class Runs:
    """Some of the runs, how many there are, sums of all of them; `cut`: fewer days were read than asked for."""

    lines: tuple[RunLine, ...]
    many: int
    cost: int
    calls: int
    unpriced: int
    unmeasured: int
    window: Window
    cut: bool
    how: Literal["summaries", "ledger"]


def find_runs(
    scope: Scope, window: Window, sort: str = DEFAULT_SORT, outcome: str = "", *, limit: int = MOST, offset: int = 0
) -> Runs:
    """The runs of a scope that count in the window. Two statements, and one more where the ledger is read."""
    params: dict[str, Any] = {"limit": limit, "offset": offset, "outcome": outcome, "best": list(BEST)}
    needs_calls = [one for one in scope.narrowed if one != "workflow"]
    read = readable(window) if needs_calls else window
    params |= {"starts": read.starts_at, "stops": read.stops_at}
    asked = OF_CALLS.format(asked=scope.ledger_sql(params)) if needs_calls else scope.run_sql(params)
    way = "DESC" if sort.startswith("-") else "ASC"
    order = f"{SORTS[sort.removeprefix('-')]} {way}"
    runs = RUNS.format(asked=asked)
    with connection.cursor() as cursor:
        cursor.execute(f"{runs} {COUNT}", params)
        many, cost, calls, unpriced, unmeasured = (int(one) for one in cursor.fetchone())
        cursor.execute(f"{runs} {SOME.format(order=order)}", params)
        lines = tuple(RunLine(*row) for row in cursor.fetchall())
    how: Literal["summaries", "ledger"] = "ledger" if needs_calls else "summaries"
    return Runs(lines, many, cost, calls, unpriced, unmeasured, read, read != window, how)
