"""Fold what grants were charged, and end those that reached their ceiling: one transaction, each charge once.

The grant's row is locked before its charges are read, as a budget's is: two writers who reach the ceiling only together
are seen together. A ceiling of money is inclusive: at exactly that much nothing is left. One of runs lets those
that began go on to their end (the bundle names them); a run beyond them ends the grant.
"""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from budgets.grants.end import tell_end, write_end
from budgets.limits.evaluate import publish_change
from budgets.models import Grant
from budgets.organisation.configuration import HOLD_CONFIGURATION

CHUNK = 200
DUE = "SELECT DISTINCT grant_id FROM budgets_grantcharge ORDER BY 1"
FOLD = """
WITH gone AS (
    DELETE FROM budgets_grantcharge WHERE grant_id = ANY(%s) RETURNING grant_id, run_id, cost, calls
), used AS (
    INSERT INTO budgets_grantrun AS run (grant_id, run_id, calls)
    SELECT grant_id, run_id, sum(calls)::int FROM gone WHERE run_id IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (grant_id, run_id) DO UPDATE SET calls = run.calls + EXCLUDED.calls
)
SELECT grant_id, sum(cost)::bigint, sum(calls)::bigint FROM gone GROUP BY 1
"""
# In a statement of its own, which sees what the one before wrote. A run whose calls were all taken back is none.
WRITE = """
UPDATE budgets_grant g SET spent = g.spent + w.cost, calls = greatest(0, g.calls + w.calls),
    runs = (SELECT count(*) FROM budgets_grantrun r WHERE r.grant_id = g.id AND r.calls > 0)
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS w (id, cost, calls) WHERE g.id = w.id
"""


def fold_charges(now: datetime | None = None) -> int:
    """Bring every charged grant up to date; how many were. Grants that another worker holds are left to it.

    To be called outside a transaction. Running it twice, or together, changes nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        due = [row[0] for row in cursor.fetchall()]
    done = 0
    for start in range(0, len(due), CHUNK):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(HOLD_CONFIGURATION)
            done += _fold_here(cursor, due[start : start + CHUNK], now or timezone.now())
    return done


def _fold_here(cursor: Any, grant_ids: list[int], now: datetime) -> int:
    locked = Grant.objects.select_for_update(skip_locked=True).filter(pk__in=grant_ids).order_by("pk")
    ids = [grant.pk for grant in locked]
    if not ids:
        return 0
    cursor.execute(FOLD, [ids])
    folded = cursor.fetchall()
    cursor.execute(WRITE, [[row[0] for row in folded], [row[1] for row in folded], [row[2] for row in folded]])
    ended = [grant for grant in Grant.objects.filter(pk__in=ids, ended_at=None) if is_used_up(grant)]
    for grant in ended:
        write_end(grant, Grant.End.CEILING, now)
    if folded:
        publish_change(cursor)
    for grant in ended:
        tell_end(grant)
    return len(ids)


def is_used_up(grant: Grant) -> bool:
    """Whether nothing is left of its money, or more runs used it than were granted."""
    return (grant.ceiling is not None and grant.spent >= grant.ceiling) or (
        grant.ceiling_runs is not None and grant.runs > grant.ceiling_runs
    )
