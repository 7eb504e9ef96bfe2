"""Tell of a crossing once, and of its resolution once, whatever the number of workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

# A crossing that still stands (told, not resolved) under an earlier limit version is not told again: people know.
# After a top-up has resolved it, the next one is.
RAISE = """
INSERT INTO budgets_crossing (kind, budget_id, period_start, threshold, limit_version, spent, "limit", raised_at)
SELECT 'crossed', w.budget_id, w.period_start, w.threshold, w.limit_version, w.spent, w.lim, clock_timestamp()
FROM unnest(%s::bigint[], %s::date[], %s::int[], %s::int[], %s::bigint[], %s::bigint[])
    AS w (budget_id, period_start, threshold, limit_version, spent, lim)
WHERE NOT EXISTS (
    SELECT FROM budgets_crossing told
    WHERE told.kind = 'crossed' AND told.budget_id = w.budget_id AND told.period_start = w.period_start
        AND told.threshold = w.threshold
        AND NOT EXISTS (
            SELECT FROM budgets_crossing resolved
            WHERE resolved.kind = 'resolved' AND resolved.budget_id = told.budget_id
                AND resolved.period_start = told.period_start AND resolved.threshold = told.threshold
                AND resolved.limit_version = told.limit_version
        )
)
ON CONFLICT DO NOTHING
RETURNING id
"""

# A resolution bears the limit version of the crossing that it answers.
RESOLVE = """
INSERT INTO budgets_crossing (kind, budget_id, period_start, threshold, limit_version, spent, "limit", raised_at)
SELECT 'resolved', told.budget_id, told.period_start, told.threshold, told.limit_version, w.spent, w.lim,
    clock_timestamp()
FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::bigint[]) AS w (budget_id, period_start, spent, lim)
JOIN budgets_crossing told ON told.budget_id = w.budget_id AND told.period_start = w.period_start
    AND told.kind = 'crossed' AND w.spent::numeric * 100 < w.lim::numeric * told.threshold
ON CONFLICT DO NOTHING
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Reached:
    """A threshold (percent) that is crossed; `spent` and `limit` in the budget's metric."""

    budget_id: int
    period_start: date
    threshold: int
    limit_version: int
    spent: int
    limit: int


@dataclass(frozen=True, slots=True)
class Level:
    """Where a budget stands in a period, against which what was told may be resolved."""

    budget_id: int
    period_start: date
    spent: int
    limit: int


def raise_crossings(cursor: Any, crossings: Sequence[Reached]) -> list[int]:
    """Write the alerts that were not told yet; their ids. The caller has locked the budgets."""
    if not crossings:
        return []
    columns = ("budget_id", "period_start", "threshold", "limit_version", "spent", "limit")
    cursor.execute(RAISE, [[getattr(one, column) for one in crossings] for column in columns])
    return [row[0] for row in cursor.fetchall()]


def resolve_crossings(cursor: Any, levels: Sequence[Level]) -> list[int]:
    """Write a resolution for each crossing told that its budget is back under; their ids."""
    if not levels:
        return []
    columns = ("budget_id", "period_start", "spent", "limit")
    cursor.execute(RESOLVE, [[getattr(one, column) for one in levels] for column in columns])
    return [row[0] for row in cursor.fetchall()]
