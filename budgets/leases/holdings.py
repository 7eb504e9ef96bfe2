"""Who holds what: the leases of a budget that still reserve something, for its page, and what leases were charged."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from budgets.leases.terms import reserves
from budgets.models import Budget, Lease

CHARGED = """
SELECT l.id, l.spent + coalesce((SELECT sum(CASE l.kind WHEN 'money' THEN c.cost WHEN 'tokens' THEN c.tokens ELSE 0 END)
    FROM budgets_leasecharge c WHERE c.lease_id = l.id), 0)::bigint
FROM budgets_lease l WHERE l.id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one holder reserves: a gateway by the name it gives, else by its key's. Nano-dollars.

    `until`: when all of it is free at the latest. `waiting`: the part of leases that have ended, held for their events.
    """

    holder: str
    leases: int
    amount: int
    waiting: int
    until: datetime


def state_of(lease: Lease, now: datetime) -> str:
    """running, released or expired."""
    if lease.released_at is not None:
        return "released"
    return "running" if lease.expires_at > now else "expired"


def charged_of(leases: Iterable[Lease]) -> dict[int, int]:
    """What each was charged, folded or not, in its unit: one statement, one moment."""
    ids = [lease.pk for lease in leases]
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(CHARGED, [ids])
        return dict(cursor.fetchall())


def holdings(budget: Budget, now: datetime) -> list[Holding]:
    """Who reserves how much of it, the largest first. Two statements."""
    rows = list(Lease.objects.filter(budget=budget, held_until__gt=now).select_related("api_key"))
    charged = charged_of(rows)
    found: dict[str, list[tuple[Lease, int]]] = defaultdict(list)
    for row in rows:
        amount = reserves(row.amount, row.used, charged.get(row.pk, row.amount))
        if amount:
            found[row.client or (row.api_key.name if row.api_key else "a key that is gone")].append((row, amount))
    listed = [
        Holding(
            holder,
            len(held),
            sum(amount for _, amount in held),
            sum(amount for row, amount in held if state_of(row, now) != "running"),
            max(row.held_until for row, _ in held),
        )
        for holder, held in found.items()
    ]
    return sorted(listed, key=lambda one: (-one.amount, one.holder))
