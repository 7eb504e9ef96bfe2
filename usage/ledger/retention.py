"""Retention: old months leave the ledger, but only after their rollups are proven."""

import logging
import re
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from usage.ledger.partitions import next_month, partition_name
from usage.rollups.sums import QUARTER_HOURS, ROW_COLUMNS, SUM_COLUMNS

logger = logging.getLogger(__name__)
CLAIMS_AT_A_TIME = 10_000

UNFOLDED = """
SELECT count(*) FROM usage_ingestbatch WHERE folded_at IS NULL
AND id IN (SELECT batch_id FROM {table})
"""
# Rows in which the month's ledger and its rollups differ; a cell missing on one side differs from nothing.
UNPROVEN = f"""
WITH rows AS (SELECT {ROW_COLUMNS} FROM {{table}}), expected AS ({QUARTER_HOURS}),
found AS (SELECT * FROM usage_quarterhour WHERE bucket >= %(first)s AND bucket < %(after)s)
SELECT count(*) FROM (
    SELECT {", ".join(f"sum({c})" for c in SUM_COLUMNS)} FROM (
        SELECT bucket, workflow_id, model, {", ".join(SUM_COLUMNS)} FROM expected
        UNION ALL
        SELECT bucket, workflow_id, model, {", ".join("-" + c for c in SUM_COLUMNS)} FROM found
    ) AS both_sides GROUP BY bucket, workflow_id, model
    HAVING {" OR ".join(f"sum({c}) <> 0" for c in SUM_COLUMNS)}
) AS different
"""


def expire(now: datetime) -> list[date]:
    """Detach every month that is wholly past retention and proven; drop claims nobody can repeat. The months."""
    oldest = now - timedelta(days=settings.LEDGER_RETENTION_DAYS)
    detached = [month for month in attached_months() if utc(next_month(month)) <= oldest and detach(month)]
    forget_claims(now)
    return detached


def kept_since() -> datetime | None:
    """From when on the ledger has every row; None where no month was detached."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(month) FROM usage_detached_month")
        (newest,) = cursor.fetchone()
    return None if newest is None else utc(next_month(newest))


def attached_months() -> list[date]:
    """First days of the months that the ledger holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_ledger'::regclass")
        names = [re.fullmatch(r"usage_ledger_(\d{4})_(\d{2})", name) for (name,) in cursor.fetchall()]
    return sorted(date(int(found[1]), int(found[2]), 1) for found in names if found)


def detach(month: date) -> bool:
    """Detach one month if its rollups equal it. Its table stays, apart, for whoever archives it."""
    table = partition_name(month)
    with transaction.atomic(), connection.cursor() as cursor:
        # Nothing may be written to the month between the proof and the detaching.
        cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        cursor.execute(UNFOLDED.format(table=table))
        (unfolded,) = cursor.fetchone()
        cursor.execute(UNPROVEN.format(table=table), {"first": utc(month), "after": utc(next_month(month))})
        (different,) = cursor.fetchone()
        if unfolded or different:
            logger.error(
                "%s stays: %s batches not folded, %s sums differ. Run check_ledger.", table, unfolded, different
            )
            return False
        cursor.execute(f"SELECT count(*) FROM {table}")
        (rows,) = cursor.fetchone()
        cursor.execute(f"ALTER TABLE usage_ledger DETACH PARTITION {table}")
        cursor.execute("INSERT INTO usage_detached_month (month, row_count) VALUES (%s, %s)", [month, rows])
    logger.info("%s (%s rows) is detached: past retention, rollups proven", table, rows)
    return True


def forget_claims(now: datetime) -> int:
    """Delete claims so old that their event would be refused as too old anyway; how many.

    An event's time is at most a day after its claim, so two days beyond the ledger's retention no claim can matter.
    """
    before = (now - timedelta(days=settings.LEDGER_RETENTION_DAYS + 2)).date()
    forgotten: int = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM usage_claim WHERE (source_id, key) IN"
                " (SELECT source_id, key FROM usage_claim WHERE claimed_on < %s LIMIT %s)",
                [before, CLAIMS_AT_A_TIME],
            )
            forgotten += cursor.rowcount
            if cursor.rowcount < CLAIMS_AT_A_TIME:
                return forgotten


def utc(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
