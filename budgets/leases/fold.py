"""Sum what leases were charged, and forget those that ended long ago.

Nothing has to end a lease: when it expires, and until when it reserves something, stand in its row.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction

from budgets.models import Lease
from budgets.organisation.configuration import HOLD_CONFIGURATION

CHUNK = 500
KEPT = timedelta(days=3)  # after it reserves nothing: late calls that name it are still told from foreign ones
FORGOTTEN = 10_000  # in one transaction
DUE = "SELECT DISTINCT lease_id FROM budgets_leasecharge ORDER BY 1"
# Another worker's are left to it. In order, so that no two wait for each other.
LOCK = "SELECT id FROM budgets_lease WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
# One statement, so that a reader finds each charge once: waiting, or in the sum. One that was given back, with all that
# its calls used reported, waits for nothing more: of a budget that is much asked for there are many.
FOLD = """
WITH gone AS (
    DELETE FROM budgets_leasecharge WHERE lease_id = ANY(%s) RETURNING lease_id, cost, tokens
), sums AS (
    SELECT gone.lease_id, sum(CASE kind.kind WHEN 'money' THEN gone.cost ELSE gone.tokens END)::bigint AS amount
    FROM gone JOIN budgets_lease kind ON kind.id = gone.lease_id GROUP BY gone.lease_id
)
UPDATE budgets_lease l SET spent = l.spent + sums.amount,
    held_until = CASE WHEN l.released_at IS NOT NULL AND l.spent + sums.amount >= least(l.used, l.amount)
        THEN least(l.held_until, greatest(l.released_at, clock_timestamp())) ELSE l.held_until END
FROM sums WHERE l.id = sums.lease_id
"""


def fold_leases() -> int:
    """Bring every charged lease up to date; how many were. To be called outside a transaction.

    Running it twice, or together, changes nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        due = [row[0] for row in cursor.fetchall()]
    done = 0
    for start in range(0, len(due), CHUNK):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(HOLD_CONFIGURATION)
            cursor.execute(LOCK, [due[start : start + CHUNK]])
            ids = [row[0] for row in cursor.fetchall()]
            if ids:
                cursor.execute(FOLD, [ids])
            done += len(ids)
    return done


def forget_leases(now: datetime) -> int:
    """Delete leases that reserved nothing for three days, with nothing waiting to be summed; how many."""
    forgotten = 0
    while True:
        with transaction.atomic():
            old = Lease.objects.filter(held_until__lt=now - KEPT, charges=None).order_by("held_until")
            gone, _ = Lease.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:FORGOTTEN])).delete()
        forgotten += gone
        if gone < FORGOTTEN:
            return forgotten
