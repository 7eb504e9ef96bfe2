"""Read the calls of a window from the ledger, run by run; the worker holds a few thousand at a time.

PostgreSQL sorts and keeps the answer (a cursor that outlives its transaction), so nothing is held up meanwhile.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from routing.replay.past import PastCall
from usage.ledger.opening import NAMED

PARTS = 10_000  # a sample is so many of this many runs
FETCHED = 2_000  # calls at a time
# Calls that an import's undo took back are none; what corrections changed counts.
FIXES = """fixes AS (
    SELECT corrects, bool_or(kind = 2) AS withdrawn, sum(unpriced)::int AS unpriced, sum(cost)::bigint AS cost
    FROM usage_ledger WHERE corrects IS NOT NULL AND posted_at >= %(starts_at)s GROUP BY corrects
)"""
# The same runs at every look, whole; a call without a run stands for itself.
SAMPLED = f"""('x' || substr(md5(coalesce(w.slug || ' ' || l.run_id, l.id::text)), 1, 7))::bit(28)::int %% {PARTS}
    < %(share)s"""
WANTED = f"""FROM usage_ledger l JOIN {NAMED} w ON w.id = l.workflow_id LEFT JOIN fixes f ON f.corrects = l.id
WHERE l.kind = 0 AND l.posted_at >= %(starts_at)s AND l.posted_at < %(ends_at)s AND f.withdrawn IS NOT TRUE
    AND (%(workflow)s = '' OR w.slug = %(workflow)s) AND (%(newest)s IS NULL OR l.id <= %(newest)s)"""
COUNT = f"WITH {FIXES} SELECT count(*), max(l.id), count(*) FILTER (WHERE {SAMPLED}) {WANTED}"
COST = """CASE WHEN l.measured AND l.unpriced + coalesce(f.unpriced, 0) = 0
    THEN coalesce(l.cost, 0) + coalesce(f.cost, 0) END"""
READ = f"""
WITH {FIXES}
SELECT l.id, l.time, w.slug, l.team, l.run_id, l.step, l.attempt, l.step_kind, l.stage, l.task_type, l.domain,
    l.environment, l.operation, l.application, l.user_name, l.user_tier, l.customer, l.tags::text, l.provider, l.model,
    l.requested_model, l.tier, l.grant_id, l.measured, l.input_tokens, l.cached_input_tokens, l.cache_write_tokens,
    l.output_tokens, l.reasoning_tokens, l.context::text, l.retrieved_chunks, l.tools_exposed, l.service_tier, l.status,
    l.units::text, {COST}
{WANTED} AND (%(share)s >= {PARTS} OR {SAMPLED})
ORDER BY w.slug COLLATE "C", l.run_id COLLATE "C", l.time, l.step, l.attempt, l.id
"""
TAGS, CONTEXT, UNITS = 17, 29, 34  # the columns of READ that are JSON


@dataclass(frozen=True, slots=True)
class Window:
    """Calls that count in [starts_at, ends_at), of one workflow or of all ("").

    `newest`: only rows up to this id, so that a second look finds the same; None: all there are. `share`: so many of
    10,000 runs.
    """

    starts_at: datetime
    ends_at: datetime
    workflow: str = ""
    newest: int | None = None
    share: int = PARTS

    def values(self) -> dict[str, Any]:
        """For the statements."""
        return {
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "workflow": self.workflow,
            "newest": self.newest,
            "share": self.share,
        }


@dataclass(frozen=True, slots=True)
class Counted:
    """How many calls a window has, and of those how many are to be tried, by which window."""

    calls: int
    taken: int
    window: Window


def count_calls(window: Window, most: int) -> Counted:
    """Count, and choose the largest sample of whole runs that has about `most` calls; all of them where they fit."""
    calls, newest, _ = _counted(window)
    window = replace(window, newest=newest)
    if calls <= most:
        return Counted(calls, calls, window)
    window = replace(window, share=max(1, PARTS * most // calls))
    return Counted(calls, _counted(window)[2], window)


def _counted(window: Window) -> tuple[int, int, int]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, window.values())
        calls, newest, sampled = cursor.fetchone()
    return int(calls), int(newest or 0), int(sampled)


def read_calls(window: Window, size: int = FETCHED) -> Iterator[list[PastCall]]:
    """The calls, `size` at a time: by workflow, run, time. Calls without a run come last of their workflow."""
    cursor = connection.chunked_cursor()
    try:
        cursor.execute(READ, window.values())
        while rows := cursor.fetchmany(size):
            yield [past_call(row) for row in rows]
    finally:
        cursor.close()


def past_call(row: tuple[Any, ...]) -> PastCall:
    """A row of READ."""
    if row[TAGS] is None and row[CONTEXT] is None and row[UNITS] is None:
        return PastCall(*row)
    values = list(row)
    for column in (TAGS, CONTEXT, UNITS):
        if values[column] is not None:
            values[column] = msgspec.json.decode(values[column])
    return PastCall(*values)
