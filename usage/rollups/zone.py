"""Days are days of the organisation's time zone: when that changes, all days are summed anew."""

from django.db import connection, transaction

from usage.rollups.days import MAKE_ANEW, MAKE_VALUES_ANEW
from usage.rollups.fold import FOLD_LOCK
from usage.rollups.rebuild import HORIZON, SUMMED_IN, WHOLE_DAYS
from usage.rollups.run_days import MAKE_RUN_DAYS_ANEW
from usage.rollups.sums import ROW_COLUMNS, UPSERT_TOKEN_DAYS, UPSERT_WIDE_DAYS

ZONES = """
SELECT organisation.time_zone, wide.zone FROM budgets_organisation AS organisation
LEFT JOIN usage_wide_zone AS wide ON wide.id WHERE organisation.id = 1
"""
FOLDED = f"""
SELECT {ROW_COLUMNS} FROM usage_ledger
WHERE batch_id NOT IN (SELECT id FROM usage_ingestbatch WHERE folded_at IS NULL) AND {WHOLE_DAYS}"""
STEPS = (
    "DELETE FROM usage_wide_day WHERE day > (%(horizon)s::timestamptz AT TIME ZONE %(zone)s)::date",
    f"WITH rows AS ({FOLDED}) {UPSERT_WIDE_DAYS}",
    "DELETE FROM usage_tokenday WHERE day > (%(horizon)s::timestamptz AT TIME ZONE %(zone)s)::date",
    f"WITH rows AS ({FOLDED}) {UPSERT_TOKEN_DAYS}",
    *MAKE_ANEW,
    *MAKE_VALUES_ANEW,
    *MAKE_RUN_DAYS_ANEW,
    SUMMED_IN,
)


def follow_time_zone() -> bool:
    """Sum the days anew where the organisation's zone is not theirs; whether that was done.

    Only what is folded, under the lock of folding, so that nothing is added twice. Where a folder is at work the next
    sweep does it: what is folded meanwhile is summed anew with the rest.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(ZONES)
        zone, summed_in = cursor.fetchone()
        if zone == summed_in:
            return False
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK])
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(ZONES)  # as they are under the lock
        zone, summed_in = cursor.fetchone()
        if zone == summed_in:
            return False
        cursor.execute(HORIZON)
        values = {"zone": zone, "horizon": cursor.fetchone()[0]}
        for step in STEPS:
            cursor.execute(step, values)
    return True
