"""Fold ingest batches into rollups, run summaries and what each source sent, each exactly once."""

import time
from dataclasses import dataclass

from django.db import connection, transaction

from usage.rollups.run_rows import CLOSED, FOLD_RUNS
from usage.rollups.sums import (
    BATCHES,
    CORE_DAYS,
    QUARTER_HOURS,
    ROW_COLUMNS,
    UPSERT_QUARTER_HOURS,
    UPSERT_SOURCE_HOURS,
    UPSERT_SUMMED_CORE_DAYS,
    UPSERT_SUMMED_WIDE_DAYS,
    UPSERT_TOKEN_DAYS,
    UPSERT_VALUE_DAYS,
    WIDE_DAYS,
    ZONE_OF_DAYS,
)

FOLD_LOCK = 7_061_003  # advisory lock number, ours by choice
MAX_BATCHES = 500
MAX_EVENTS = 20_000

CLAIM_BATCHES = """
SELECT id, events FROM usage_ingestbatch WHERE folded_at IS NULL ORDER BY id LIMIT %s FOR UPDATE
"""
# Before its first ANALYZE a month that fills quickly looks small, and the planner would read all of it each time. The
# rows of a fold are read several times, and so are kept in memory.
# What is closed is read after the batches were claimed: none of them was written under a later close.
PREPARE = f"""
SELECT ({ZONE_OF_DAYS}), ({CLOSED}), set_config('enable_seqscan', 'off', true), set_config('work_mem', '32MB', true)"""
FOLD = f"""
WITH rows AS MATERIALIZED (SELECT {ROW_COLUMNS} FROM usage_ledger WHERE batch_id = ANY(%(batches)s)),
quarter_hours AS MATERIALIZED ({QUARTER_HOURS}),
cells AS ({UPSERT_QUARTER_HOURS}),
days_of_core AS MATERIALIZED ({CORE_DAYS}),
core AS ({UPSERT_SUMMED_CORE_DAYS}),
token_days AS ({UPSERT_TOKEN_DAYS}),
wide_days AS MATERIALIZED ({WIDE_DAYS}),
wide AS ({UPSERT_SUMMED_WIDE_DAYS}),
value_days AS ({UPSERT_VALUE_DAYS}),
{FOLD_RUNS},
batches AS MATERIALIZED ({BATCHES} WHERE id = ANY(%(batches)s)),
source_hours AS ({UPSERT_SOURCE_HOURS})
UPDATE usage_ingestbatch SET folded_at = clock_timestamp() WHERE id = ANY(%(batches)s)
"""


@dataclass(frozen=True, slots=True)
class Folded:
    """How much one transaction folded; `more` says that batches are waiting still."""

    batches: int
    events: int
    more: bool


def fold_batches(max_events: int = MAX_EVENTS) -> Folded:
    """Fold the oldest batches, up to about `max_events`, in one transaction: claim, sum, mark, commit.

    One folder at a time: it reads every row once and would only wait for another's locks on the same cells. Whoever
    does not get the lock leaves; a killed folder's lock goes with its connection, and its transaction never was.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK])
        if not cursor.fetchone()[0]:
            return Folded(0, 0, False)
        cursor.execute(CLAIM_BATCHES, [MAX_BATCHES])
        waiting = cursor.fetchall()
        chosen: list[int] = []
        events = 0
        for batch_id, count in waiting:
            if chosen and events + count > max_events:
                break
            chosen.append(batch_id)
            events += count
        if not chosen:
            return Folded(0, 0, False)
        cursor.execute(PREPARE)
        zone, closed, *_ = cursor.fetchone()
        cursor.execute(FOLD, {"batches": chosen, "zone": zone, "closed": closed})
        return Folded(len(chosen), events, len(chosen) < len(waiting) or len(waiting) == MAX_BATCHES)


def fold_all(seconds: float = 10) -> int:
    """Fold until nothing waits, for at most about `seconds`; how many events that were.

    Bounded, so that a long backlog does not keep a worker from settling: the next sweep goes on.
    """
    events, started = 0, time.monotonic()
    while time.monotonic() - started < seconds:
        folded = fold_batches()
        events += folded.events
        if not folded.more:
            break
    return events
