"""Runs against what they follow from: when they count, the ledger; what became of them, their messages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from usage.outcomes.apply import CHUNK, TOLD_RUNS, standings
from usage.rollups.counted import STATE
from usage.rollups.run_rows import CLOSED

# Earlier than its last call's posting a run counts only where that day was closed when the call came.
WHEN = f"""
SELECT run.workflow_id, run.run_id, run.counts_at, last.posted_at FROM usage_run AS run JOIN (
    SELECT workflow_id, run_id, max(posted_at) AS posted_at FROM usage_ledger
    WHERE kind = 0 AND run_id <> '' AND batch_id NOT IN (SELECT id FROM usage_ingestbatch WHERE folded_at IS NULL)
    GROUP BY workflow_id, run_id
) AS last USING (workflow_id, run_id)
WHERE run.counts_at <> last.posted_at AND run.first_call >= %(horizon)s AND NOT (
    run.counts_at < last.posted_at AND (run.counts_at < ({CLOSED})::timestamptz OR EXISTS (
        SELECT 1 FROM usage_runposting AS apart
        WHERE apart.workflow_id = run.workflow_id AND apart.run_id = run.run_id
    ))
) LIMIT %(shown)s"""
ROWS = f"""
SELECT workflow_id, run_id, {", ".join(STATE)} FROM usage_run
WHERE (workflow_id, run_id) IN
    (SELECT workflow_id, run_id FROM unnest(%s::int[], %s::text[]) AS wanted (workflow_id, run_id))"""


@dataclass(frozen=True, slots=True)
class WrongRun:
    """A run that is not what it follows from."""

    workflow_id: int
    run_id: str
    problem: str


def wrong_runs(values: dict[str, Any], shown: int) -> list[WrongRun]:
    """A few examples of each kind. In the caller's snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(WHEN, values | {"shown": shown})
        found = [
            WrongRun(workflow, run, f"counts_at is {at}, its last call was posted {ought}")
            for workflow, run, at, ought in cursor.fetchall()
        ]
        return found + _said(cursor, shown)


def _said(cursor: Any, shown: int) -> list[WrongRun]:
    cursor.execute(TOLD_RUNS)
    keys, found = cursor.fetchall(), []
    for start in range(0, len(keys), CHUNK):
        few = keys[start : start + CHUNK]
        cursor.execute(ROWS, [[workflow for workflow, _ in few], [run for _, run in few]])
        rows = {(workflow, run): dict(zip(STATE, rest, strict=True)) for workflow, run, *rest in cursor.fetchall()}
        for (workflow, run), stands in standings(cursor, few):
            row = rows.get((workflow, run))
            ought = {name: getattr(stands, name) for name in STATE}
            if row != ought:
                found.append(WrongRun(workflow, run, "; ".join(_differences(row, ought))))
                if len(found) == shown:
                    return found
    return found


def _differences(row: dict[str, Any] | None, ought: dict[str, Any]) -> Iterator[str]:
    if row is None:
        yield "is missing, with messages about it"
        return
    for name, value in ought.items():
        if row[name] != value:
            yield f"{name} is {row[name]}, its messages say {value}"
