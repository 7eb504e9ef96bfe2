"""What is spent and reserved of a limit, as committed: one statement each, so that no charge is seen on both sides.

An event moves its cost from a lease to the budget in one transaction, folding moves it from charge to sum in one; so a
statement, which sees one moment, finds each nano-dollar in exactly one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from budgets.leases.terms import Window

# `now`: the database's clock unless a moment is given.
CLOCK = "clock AS MATERIALIZED (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now)"
# What leases still reserve, as `terms.reserves` says it; a test compares the two. Of few charges and many leases the
# charges are looked at once.
HELD = """
SELECT coalesce(sum(one.reserves), 0)::bigint AS amount, min(one.held_until) FILTER (WHERE one.reserves > 0) AS soonest
FROM (
    SELECT l.held_until,
        greatest(0, least(l.amount, coalesce(l.used, l.amount)) - l.spent - coalesce(waiting.amount, 0)) AS reserves
    FROM clock CROSS JOIN budgets_lease l LEFT JOIN (
        SELECT c.lease_id, sum(CASE l.kind WHEN 'money' THEN c.cost WHEN 'tokens' THEN c.tokens ELSE 0 END) AS amount
        FROM budgets_leasecharge c JOIN budgets_lease l ON l.id = c.lease_id WHERE {of} GROUP BY c.lease_id
    ) AS waiting ON waiting.lease_id = l.id
    WHERE {of} AND l.held_until > clock.now
) AS one
"""
OF_BUDGET = f"""
WITH {CLOCK}
SELECT clock.now, s."limit", s.spent + (
        SELECT coalesce(sum(c.amount), 0)::bigint FROM budgets_budgetcharge c
        WHERE c.budget_id = %(budget)s AND c.bucket >= s.starts_at AND c.bucket < s.ends_at),
    s.starts_at, s.ends_at, held.amount, held.soonest
FROM clock CROSS JOIN ({HELD.format(of="l.budget_id = %(budget)s")}) AS held
LEFT JOIN budgets_budgetstate s
    ON s.budget_id = %(budget)s AND s.starts_at <= clock.now AND s.ends_at > clock.now
"""
OF_WORKFLOWS = f"""
WITH {CLOCK}
SELECT clock.now, held.amount, held.soonest
FROM clock CROSS JOIN ({
    HELD.format(of="l.workflow_id = ANY(%(workflows)s) AND l.kind = %(kind)s AND l.environment = %(environment)s")
}) AS held
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a limit stands at `now`. `soonest`: when some of what is reserved is free at the latest."""

    now: datetime
    limit: int
    spent: int
    reserved: int
    window: Window
    soonest: datetime | None

    @property
    def free(self) -> int:
        """What may still be given; negative where more was spent, or the limit was lowered."""
        return self.limit - self.spent - self.reserved


def standing_of_budget(cursor: Any, budget_id: int, now: datetime | None) -> Standing | None:
    """As of the period that runs now; None where evaluation has not written its state yet."""
    cursor.execute(OF_BUDGET, {"budget": budget_id, "now": now})
    moment, limit, spent, starts_at, ends_at, reserved, soonest = cursor.fetchone()
    if limit is None:
        return None
    return Standing(moment, limit, spent, reserved, Window(starts_at, ends_at), soonest)


def reserved_of_workflows(
    cursor: Any, workflow_ids: Sequence[int], kind: str, environment: str, now: datetime | None
) -> tuple[datetime, int, datetime | None]:
    """The moment, what leases of `kind` reserve then, and when some of it is free at the latest."""
    values = {"workflows": list(workflow_ids), "kind": kind, "environment": environment, "now": now}
    cursor.execute(OF_WORKFLOWS, values)
    moment, reserved, soonest = cursor.fetchone()
    return moment, int(reserved), soonest
