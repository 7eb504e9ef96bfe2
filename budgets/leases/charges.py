"""Charge leases in the ingest transaction: appended, never updated, so writers never wait."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from budgets.leases.terms import CALLS

FIND = """
SELECT l.key, l.id, l.kind, l.budget_id, coalesce(w.merged_into_id, w.id), l.environment
FROM budgets_lease l LEFT JOIN budgets_workflow w ON w.id = l.workflow_id
WHERE l.key = ANY(%s) AND l.kind <> 'calls'
"""
APPEND = """
INSERT INTO budgets_leasecharge (lease_id, cost, tokens, calls)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[])
"""


@dataclass(frozen=True, slots=True)
class LeaseRef:
    """A lease as ingest needs it: of the money of a budget, or of the tokens of a workflow in an environment."""

    id: int
    kind: str
    budget_id: int | None
    workflow_id: int | None
    environment: str

    @property
    def limit(self) -> tuple[str, int | None, int | None]:
        """What it is of: a call is charged to one lease of each."""
        return self.kind, self.budget_id, self.workflow_id

    def covers(self, budget_ids: Iterable[int], workflow_id: int, environment: str) -> bool:
        """Whether a call that is charged to these budgets, posted to this workflow, draws on what it is of."""
        if self.budget_id is not None:
            return self.budget_id in budget_ids
        return self.kind != CALLS and (self.workflow_id, self.environment) == (workflow_id, environment)


@dataclass(frozen=True, slots=True)
class LeaseSpend:
    """What a batch spent under one lease: nano-dollars, tokens and calls, negative where something is taken back."""

    lease_id: int
    cost: int
    tokens: int
    calls: int


def find_leases(cursor: Any, keys: Iterable[str]) -> dict[str, LeaseRef]:
    """Those of the keys that are leases of money or tokens, ended ones too. One statement."""
    cursor.execute(FIND, [sorted(set(keys))])
    return {key: LeaseRef(*values) for key, *values in cursor.fetchall()}


def statement_of(spends: Sequence[LeaseSpend]) -> tuple[str, list[Any]]:
    """SQL and values that append them, for a caller who sends several statements in one go."""
    return APPEND, [
        [one.lease_id for one in spends],
        [one.cost for one in spends],
        [one.tokens for one in spends],
        [one.calls for one in spends],
    ]
