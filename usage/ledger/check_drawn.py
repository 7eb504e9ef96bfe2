"""Prove that what allowances and leases were charged is what the ledger says of the calls under them."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from budgets.grants.book import REMEMBERED

# Of a grant: its workflow's calls that name it. One that ended long ago is charged no more, whatever names it; of one
# that began before the oldest month that is still here, calls may be gone.
GRANTS = """
WITH counted AS (SELECT id, coalesce(merged_into_id, id) AS as_id FROM budgets_workflow),
said AS (
    SELECT l.grant_id AS key, c.as_id AS workflow_id, sum(coalesce(l.cost, 0))::bigint AS cost
    FROM usage_ledger l JOIN counted c ON c.id = l.workflow_id
    WHERE l.grant_id IS NOT NULL GROUP BY 1, 2
)
SELECT g.key, g.spent + coalesce(waiting.cost, 0) AS is_, coalesce(said.cost, 0) AS ought
FROM budgets_grant g JOIN counted c ON c.id = g.workflow_id
LEFT JOIN (SELECT grant_id, sum(cost)::bigint AS cost FROM budgets_grantcharge GROUP BY 1) AS waiting
    ON waiting.grant_id = g.id
LEFT JOIN said ON said.key = g.key AND said.workflow_id = c.as_id
WHERE (g.ended_at IS NULL OR g.ended_at > clock_timestamp() - %(remembered)s)
    AND (g.starts_at >= %(horizon)s OR NOT EXISTS (SELECT FROM usage_detached_month))
    AND g.spent + coalesce(waiting.cost, 0) <> coalesce(said.cost, 0)
ORDER BY g.key LIMIT %(shown)s
"""
# A ledger row names the leases that it was charged to, and no other.
LEASES = """
WITH said AS (
    SELECT one.key, sum(coalesce(l.cost, 0))::bigint AS cost,
        sum(coalesce(l.input_tokens, 0) + coalesce(l.output_tokens, 0))::bigint AS tokens
    FROM usage_ledger l CROSS JOIN LATERAL unnest(string_to_array(l.lease_id, ' ')) AS one (key)
    WHERE l.lease_id IS NOT NULL GROUP BY 1
), waiting AS (
    SELECT lease_id, sum(cost)::bigint AS cost, sum(tokens)::bigint AS tokens FROM budgets_leasecharge GROUP BY 1
), sums AS (
    SELECT le.key,
        le.spent + coalesce(CASE le.kind WHEN 'money' THEN waiting.cost ELSE waiting.tokens END, 0) AS is_,
        coalesce(CASE le.kind WHEN 'money' THEN said.cost ELSE said.tokens END, 0) AS ought
    FROM budgets_lease le LEFT JOIN said USING (key) LEFT JOIN waiting ON waiting.lease_id = le.id
)
SELECT key, is_, ought FROM sums WHERE is_ <> ought ORDER BY key LIMIT %(shown)s
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """An allowance or a lease whose charges are not what the ledger says; in nano-dollars, or tokens."""

    table: str
    key: str
    charged: int
    ought: int


def wrongly_drawn(values: dict[str, Any], shown: int) -> list[Drawn]:
    """At most `shown` of each kind. Inside `one_snapshot` of `check.py`, whose `values` these are."""
    found = []
    with connection.cursor() as cursor:
        for table, statement in (("budgets_grant", GRANTS), ("budgets_lease", LEASES)):
            cursor.execute(statement, values | {"remembered": REMEMBERED, "shown": shown})
            found += [Drawn(table, *row) for row in cursor.fetchall()]
    return found
