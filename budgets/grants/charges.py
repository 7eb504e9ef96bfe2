"""Charge grants in the ingest transaction: appended, never updated, so writers never wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

APPEND = """
INSERT INTO budgets_grantcharge (grant_id, run_id, cost, calls)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::int[])
"""


@dataclass(frozen=True, slots=True)
class GrantSpend:
    """What one run spent of one grant: nano-dollars and calls, negative where something is taken back."""

    grant_id: int
    run_id: str | None
    cost: int
    calls: int


def statement_of(spends: Sequence[GrantSpend]) -> tuple[str, list[Any]]:
    """SQL and values that append them, for a caller who sends several statements in one go."""
    return APPEND, [
        [one.grant_id for one in spends],
        [one.run_id for one in spends],
        [one.cost for one in spends],
        [one.calls for one in spends],
    ]
