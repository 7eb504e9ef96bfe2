"""Make rollups, run summaries and what each source sent anew from the ledger."""

from django.db import connection, transaction

from usage.outcomes.apply import restate_all
from usage.rollups.days import MAKE_ANEW, MAKE_VALUES_ANEW
from usage.rollups.fold import FOLD_LOCK, fold_batches
from usage.rollups.run_days import MAKE_RUN_DAYS_ANEW
from usage.rollups.run_rows import CLOSED, REBUILD_RUNS
from usage.rollups.sums import (
    BATCHES,
    ITS_HOUR,
    QUARTER_HOURS,
    RECEIVED_HOUR,
    ROW_COLUMNS,
    UPSERT_QUARTER_HOURS,
    UPSERT_SOURCE_HOURS,
    UPSERT_TOKEN_DAYS,
    UPSERT_WIDE_DAYS,
)

# What detached months put into rollups cannot be made anew, so cells and runs that they share in are left alone.
HORIZON = (
    "SELECT coalesce(max(month + interval '1 month') AT TIME ZONE 'UTC', timestamptz '1900-01-01 00:00:00+00')"
    " FROM usage_detached_month"
)
# Only what was folded: what counts apart from its run is found when rows are folded, and at no other time.
ROWS = f"""
SELECT {ROW_COLUMNS} FROM usage_ledger
WHERE batch_id NOT IN (SELECT id FROM usage_ingestbatch WHERE folded_at IS NULL)"""
WHOLE_DAYS = "(posted_at AT TIME ZONE %(zone)s)::date > (%(horizon)s::timestamptz AT TIME ZONE %(zone)s)::date"
OLD_RUNS = "SELECT workflow_id, run_id FROM usage_run WHERE first_call < %(horizon)s"
# Hours of arrival in which something came that is detached meanwhile, since late events count in an older month.
DETACHED_HOURS = f"""
SELECT {RECEIVED_HOUR} FROM usage_ingestbatch AS batch
LEFT JOIN (SELECT batch_id, count(*) AS rows FROM usage_ledger GROUP BY batch_id) AS there ON there.batch_id = batch.id
WHERE EXISTS (SELECT 1 FROM usage_detached_month) AND coalesce(there.rows, 0) < batch.events"""
WHOLE_HOURS = f"""
batch_id IN (SELECT id FROM usage_ingestbatch WHERE {RECEIVED_HOUR} NOT IN ({DETACHED_HOURS}))"""
SUMMED_IN = "INSERT INTO usage_wide_zone (zone) VALUES (%(zone)s) ON CONFLICT (id) DO UPDATE SET zone = excluded.zone"
STEPS = (
    "DELETE FROM usage_quarterhour WHERE bucket >= %(horizon)s",
    "DELETE FROM usage_wide_day WHERE day > (%(horizon)s::timestamptz AT TIME ZONE %(zone)s)::date",
    "UPDATE usage_run SET first_call = 'infinity', last_call = '-infinity', calls = 0, max_step = 0, max_attempt = 0,"
    " retries = 0, escalated = 0, unmeasured = 0, unpriced = 0, input_tokens = 0, output_tokens = 0, cost = 0"
    " WHERE first_call >= %(horizon)s",
    f"WITH rows AS ({ROWS}), quarter_hours AS ({QUARTER_HOURS}) {UPSERT_QUARTER_HOURS}",
    *MAKE_ANEW,
    f"WITH rows AS ({ROWS} AND {WHOLE_DAYS}) {UPSERT_WIDE_DAYS}",
    *MAKE_VALUES_ANEW,
    "DELETE FROM usage_tokenday WHERE day > (%(horizon)s::timestamptz AT TIME ZONE %(zone)s)::date",
    f"WITH rows AS ({ROWS} AND {WHOLE_DAYS}) {UPSERT_TOKEN_DAYS}",
    SUMMED_IN,
    f"WITH rows AS ({ROWS} AND (workflow_id, run_id) NOT IN ({OLD_RUNS})), {REBUILD_RUNS}",
    "DELETE FROM usage_run WHERE first_call = 'infinity'",
    f"DELETE FROM usage_sourcehour WHERE {ITS_HOUR} NOT IN ({DETACHED_HOURS})",
    f"WITH rows AS ({ROWS} AND {WHOLE_HOURS}), batches AS ({BATCHES}) {UPSERT_SOURCE_HOURS}",
)


def rebuild_rollups() -> int:
    """Rebuild everything that the ledger still holds; returns the number of ledger rows.

    What waits is folded first. Ingest goes on meanwhile: one repeatable-read snapshot decides which folded rows are
    meant, and folding waits on the lock. Outcomes are made anew from their messages; those of before there were any
    messages are kept, as is what counts apart from its run since days were closed.
    """
    with connection.cursor() as cursor:
        # Taken before the snapshot, so that no folder commits between the two.
        cursor.execute("SELECT pg_advisory_lock(%s)", [FOLD_LOCK])
        try:
            while fold_batches().more:
                pass
            return rebuild_from_snapshot()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [FOLD_LOCK])


def rebuild_from_snapshot() -> int:
    """The work itself, in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(HORIZON)
        (horizon,) = cursor.fetchone()
        cursor.execute(f"SELECT time_zone, ({CLOSED}) FROM budgets_organisation WHERE id = 1")
        zone, closed = cursor.fetchone()
        values = {"horizon": horizon, "zone": zone, "closed": closed}
        for step in STEPS:
            cursor.execute(step, values)
        restate_all()
        for step in MAKE_RUN_DAYS_ANEW:
            cursor.execute(step, values)
        cursor.execute("SELECT count(*) FROM usage_ledger")
        return int(cursor.fetchone()[0])
