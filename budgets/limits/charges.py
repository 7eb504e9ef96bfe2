"""Charges: what a transaction spent of a budget, appended there and folded by evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

APPEND = """
INSERT INTO budgets_budgetcharge (budget_id, bucket, amount, calls)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Charge:
    """`amount` in the budget's metric (nano-dollars, tokens or calls), negative for a correction downwards.

    `bucket` is the UTC quarter hour in which the usage is posted. `calls` counts calls whatever the metric; a
    correction row is none.
    """

    budget_id: int
    bucket: datetime
    amount: int
    calls: int


def statement_of(charges: Sequence[Charge]) -> tuple[str, list[Any]]:
    """SQL and values that append charges, so that several statements are sent in one go; nothing is updated."""
    return APPEND, [
        [charge.budget_id for charge in charges],
        [charge.bucket for charge in charges],
        [charge.amount for charge in charges],
        [charge.calls for charge in charges],
    ]
