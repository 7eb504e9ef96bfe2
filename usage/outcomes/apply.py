"""Apply messages to their runs: a run is what all of its messages come to, under the lock of folding.

A message whose run has no calls yet waits; folding wakes it. What changes of a run that counts on a closed day is
posted at the time of the change, as a difference. Killed at any point, nothing was done, and the next sweep does it.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from usage.outcomes.state import Standing, Told, standing
from usage.rollups.counted import COUNTED, STATE, counted, less, of_row
from usage.rollups.fold import FOLD_LOCK
from usage.rollups.run_days import amounts, change_run_days, day, of_new_postings
from usage.rollups.run_rows import CLOSED
from usage.rollups.sums import ZONE_OF_DAYS

CHUNK = 1_000
LOOK_AGAIN = 0.05  # seconds
MOST_CHUNKS = 20  # in one go; the next sweep goes on
Key = tuple[int, str]  # workflow's id and run_id

CLAIM = """
SELECT id, received_at FROM usage_outcomemessage WHERE state = 'new' ORDER BY id LIMIT %s FOR UPDATE"""
# A run may be there under each name of its workflow. The one that messages were applied to before goes first, then the
# one under the name that was told.
FIND = """
SELECT DISTINCT ON (message.id) message.id, run.workflow_id, run.run_id FROM usage_outcomemessage AS message
JOIN budgets_workflow AS told ON told.id = message.workflow_id
JOIN budgets_workflow AS name
    ON coalesce(name.merged_into_id, name.id) = coalesce(told.merged_into_id, told.id)
JOIN usage_run AS run ON run.workflow_id = name.id AND run.run_id = message.run_id
WHERE message.id = ANY(%s)
ORDER BY message.id, run.reviews + run.reworks > 0 OR run.outcome <> 'open' DESC,
    run.workflow_id = message.workflow_id DESC, run.id"""
MARK = """
UPDATE usage_outcomemessage AS message SET state = 'applied', applied_to = found.workflow_id
FROM unnest(%s::bigint[], %s::int[]) AS found (id, workflow_id) WHERE message.id = found.id"""
WAIT = "UPDATE usage_outcomemessage SET state = 'waiting' WHERE id = ANY(%s) AND state = 'new'"
TOLD = """
SELECT applied_to, run_id, id, time, outcome, reviewer, review_minutes, satisfaction, misrouted, revenue,
    minutes_saved, cases, asset
FROM usage_outcomemessage
WHERE state = 'applied' AND taken_back_at IS NULL AND (applied_to, run_id) IN
    (SELECT workflow_id, run_id FROM unnest(%s::int[], %s::text[]) AS wanted (workflow_id, run_id))"""
DOUBLED = """
UPDATE usage_outcomemessage SET is_duplicate = NOT is_duplicate
WHERE (applied_to, run_id) IN
        (SELECT workflow_id, run_id FROM unnest(%(workflows)s::int[], %(runs)s::text[]) AS wanted (workflow_id, run_id))
    AND is_duplicate <> (id = ANY(%(doubled)s::bigint[]))"""


def _of(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in STATE)


TYPES = {
    "outcome": "text", "reworks": "int", "reviews": "int", "duplicates": "int", "reviewer": "text",
    "review_minutes": "numeric", "timed": "int", "scored": "int", "satisfaction": "numeric", "misrouted": "boolean",
    "revenue": "bigint", "minutes_saved": "numeric", "cases": "int", "asset": "text",
}  # fmt: skip
NOW = f"""
WITH now AS MATERIALIZED (
    SELECT * FROM unnest(%(workflows)s::int[], %(runs)s::text[], %(times)s::timestamptz[], {
    ", ".join(f"%({name})s::{TYPES[name]}[]" for name in STATE)
}) AS now (workflow_id, run_id, posted_at, {", ".join(STATE)})
)"""
STATE_IT = f"""
UPDATE usage_run AS run SET {", ".join(f"{name} = now.{name}" for name in STATE)} FROM now
WHERE run.workflow_id = now.workflow_id AND run.run_id = now.run_id"""
RESTATE = f"{NOW} {STATE_IT}"
# What is read of a run here is as it was before the update beside it.
CHANGES = f"""
    SELECT {day("run.counts_at")} AS day, run.workflow_id, {amounts(of_row("run"), "-")}
    FROM usage_run AS run JOIN now USING (workflow_id, run_id)
    UNION ALL
    SELECT {day("run.counts_at")}, run.workflow_id, {amounts(counted("now", "run.calls", "run.cost", "run.max_step"))}
    FROM usage_run AS run JOIN now USING (workflow_id, run_id)
    UNION ALL{of_new_postings("usage_run")}"""
POST_AND_RESTATE = f"""{NOW}, apart AS (
    INSERT INTO usage_runposting (workflow_id, run_id, posted_at, {", ".join(COUNTED)})
    SELECT run.workflow_id, run.run_id, greatest(now.posted_at, %(closed)s::timestamptz), {
    less(counted("now", "run.calls", "run.cost", "run.max_step"), of_row("run"))
}
    FROM usage_run AS run JOIN now USING (workflow_id, run_id)
    WHERE run.counts_at < %(closed)s::timestamptz
        AND ({", ".join(f"run.{name}" for name in STATE)}) IS DISTINCT FROM ({
    ", ".join(f"now.{name}" for name in STATE)
})
    RETURNING *
), run_days AS ({change_run_days(CHANGES)}) {STATE_IT}"""
# Folding wakes what waits for a run by its calls; this finds what came to have a run by a merge of workflows.
WAKE = """
UPDATE usage_outcomemessage SET state = 'new' WHERE id IN (
    SELECT message.id FROM usage_outcomemessage AS message
    JOIN budgets_workflow AS told ON told.id = message.workflow_id
    JOIN budgets_workflow AS name
        ON coalesce(name.merged_into_id, name.id) = coalesce(told.merged_into_id, told.id)
    JOIN usage_run AS run ON run.workflow_id = name.id AND run.run_id = message.run_id
    WHERE message.state = 'waiting' AND message.taken_back_at IS NULL
)"""
TOLD_RUNS = """
SELECT DISTINCT applied_to, run_id FROM usage_outcomemessage WHERE state = 'applied' ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Applied:
    """How many messages were looked at; `more` says that others are left."""

    messages: int
    more: bool


def apply_outcomes(seconds: float = 0) -> int:
    """Apply what is new, for at most some 20,000 messages; how many. Waits at most so long for a folder at work."""
    total = 0
    for _ in range(MOST_CHUNKS):
        done = apply_some(seconds)
        total += done.messages
        if not done.more:
            break
    return total


def wake_waiting() -> int:
    """Have those that wait for a run looked at again that have one; how many. Each hour, and whenever one likes."""
    with connection.cursor() as cursor:
        cursor.execute(WAKE)
        return int(cursor.rowcount)


def apply_some(seconds: float = 0) -> Applied:
    """The oldest new messages, in one transaction: claim, find their runs, say what those are now, commit."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM usage_outcomemessage WHERE state = 'new')")
        if not cursor.fetchone()[0] or not take_lock(cursor, seconds):
            return Applied(0, False)
        cursor.execute(CLAIM, [CHUNK])
        came = dict(cursor.fetchall())
        cursor.execute(FIND, [list(came)])
        found = {pk: (workflow, run) for pk, workflow, run in cursor.fetchall()}
        if found:
            cursor.execute(MARK, [list(found), [workflow for workflow, _ in found.values()]])
        cursor.execute(WAIT, [[pk for pk in came if pk not in found]])
        times: dict[Key, datetime] = {}
        for pk, key in found.items():
            times[key] = max(times.get(key, came[pk]), came[pk])
        restate(cursor, times)
        return Applied(len(came), len(came) == CHUNK)


def take_lock(cursor: Any, seconds: float) -> bool:
    """The lock of folding until the transaction ends; whether it was had in time."""
    for attempt in range(1 + int(seconds / LOOK_AGAIN)):
        if attempt:
            time.sleep(LOOK_AGAIN)
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK])
        if cursor.fetchone()[0]:
            return True
    return False


def restate(cursor: Any, times: dict[Key, datetime]) -> None:
    """Write what these runs are by all of their messages; what of it counts late is posted at the time given.

    The caller holds the lock of folding.
    """
    if not times:
        return
    cursor.execute(f"SELECT ({ZONE_OF_DAYS}), ({CLOSED})")
    zone, closed = cursor.fetchone()
    cursor.execute(POST_AND_RESTATE, _values(cursor, times) | {"zone": zone, "closed": closed})


def restate_all() -> None:
    """Write what all runs with messages are; what counts apart from them is posted already. For a rebuild."""
    with connection.cursor() as cursor:
        cursor.execute(TOLD_RUNS)
        keys, now = cursor.fetchall(), timezone.now()
        for start in range(0, len(keys), CHUNK):
            cursor.execute(RESTATE, _values(cursor, dict.fromkeys(keys[start : start + CHUNK], now)))


def standings(cursor: Any, keys: Iterable[Key]) -> Iterator[tuple[Key, Standing]]:
    """What each of these runs is by its messages. One statement."""
    wanted = list(keys)
    cursor.execute(TOLD, [[workflow for workflow, _ in wanted], [run for _, run in wanted]])
    told: dict[Key, list[Told]] = {key: [] for key in wanted}
    for workflow, run, *rest in cursor.fetchall():
        told[workflow, run].append(Told(*rest))
    for key in wanted:
        yield key, standing(told[key])


def _values(cursor: Any, times: dict[Key, datetime]) -> dict[str, Any]:
    keys = sorted(times)
    stands: Sequence[Standing] = [stand for _, stand in standings(cursor, keys)]
    values: dict[str, Any] = {
        "workflows": [workflow for workflow, _ in keys],
        "runs": [run for _, run in keys],
        "times": [times[key] for key in keys],
        "doubled": [pk for stand in stands for pk in stand.duplicate_ids],
    }
    cursor.execute(DOUBLED, values)
    return values | {name: [getattr(stand, name) for stand in stands] for name in STATE}
