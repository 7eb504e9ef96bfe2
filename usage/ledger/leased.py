"""Which leases the calls of a batch draw on, and what the ledger has of a day's tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from budgets.leases.charges import LeaseRef, LeaseSpend, find_leases
from budgets.limits.book import BudgetBook
from usage.ledger.row import CALLS_OF, Entry, budget_attribute

# Rollups and what is not in them yet, as one statement: folding moves a batch from one to the other in a transaction.
USED = """
SELECT coalesce((SELECT sum(input_tokens + output_tokens) FROM usage_quarterhour
        WHERE workflow_id = ANY(%(workflows)s) AND environment = %(environment)s
            AND bucket >= %(starts)s AND bucket < %(ends)s), 0)::bigint
    + coalesce((SELECT sum(coalesce(l.input_tokens, 0) + coalesce(l.output_tokens, 0)) FROM usage_ledger l
        WHERE l.batch_id = ANY(ARRAY(SELECT id FROM usage_ingestbatch WHERE folded_at IS NULL))
            AND l.workflow_id = ANY(%(workflows)s) AND l.environment = %(environment)s
            AND l.posted_at >= %(starts)s AND l.posted_at < %(ends)s), 0)::bigint
"""


def leased(cursor: Any, rows: Sequence[Entry], budgets: BudgetBook) -> list[LeaseSpend]:
    """What the rows spend under leases, in a fixed order; nothing is asked where no row names one.

    A row's `lease_id` names leases with spaces between. Those that it draws on stay in it, so that the ledger can be
    compared with them; of each limit the first one named is charged.
    """
    naming = [entry for entry in rows if entry.row.lease_id]
    if not naming:
        return []
    known = find_leases(cursor, (key for entry in naming for key in (entry.row.lease_id or "").split()))
    sums: dict[int, list[int]] = {}
    for entry in naming:
        row = entry.row
        drawn = drawn_on(entry, known, budgets)
        row.lease_id = " ".join(drawn) or None
        for lease in drawn.values():
            total = sums.setdefault(lease.id, [0, 0, 0])
            total[0] += row.cost or 0
            total[1] += (row.input_tokens or 0) + (row.output_tokens or 0)
            total[2] += CALLS_OF.get(row.kind, 0)
    return [LeaseSpend(lease_id, *total) for lease_id, total in sorted(sums.items())]


def drawn_on(entry: Entry, known: dict[str, LeaseRef], budgets: BudgetBook) -> dict[str, LeaseRef]:
    """The leases, by key, that a call draws on: one of each limit that it falls under, in the order stated."""
    row = entry.row
    stated = {name: budget_attribute(row, entry.workflow, name) for name in budgets.dimensions}
    charged = {ref.id for ref in budgets.match(stated, entry.tags)}
    found: dict[str, LeaseRef] = {}
    limits = set()
    for key in (row.lease_id or "").split():
        lease = known.get(key)
        if lease is None or lease.limit in limits or not lease.covers(charged, row.workflow_id, row.environment):
            continue
        limits.add(lease.limit)
        found[key] = lease
    return found


def tokens_used(workflow_ids: Sequence[int], environment: str, starts_at: datetime, ends_at: datetime) -> int:
    """Input and output tokens of these workflows in an environment, posted from one instant up to another."""
    values: dict[str, Any] = {
        "workflows": list(workflow_ids),
        "environment": environment,
        "starts": starts_at,
        "ends": ends_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(USED, values)
        return int(cursor.fetchone()[0])
