"""The statements of evaluation: which budgets are due, lock them, fold their charges, read and write their states."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from budgets.limits.calendar import Period
from budgets.models import BudgetState

# The distinct budgets with charges by one index probe each, however many charges wait. Most budgets have none.
DUE = """
WITH RECURSIVE charged (id) AS (
    (SELECT budget_id FROM budgets_budgetcharge ORDER BY budget_id LIMIT 1)
    UNION ALL
    SELECT (SELECT budget_id FROM budgets_budgetcharge WHERE budget_id > charged.id ORDER BY budget_id LIMIT 1)
    FROM charged WHERE charged.id IS NOT NULL
), due AS (
    SELECT id FROM charged WHERE id IS NOT NULL UNION SELECT id FROM budgets_budget WHERE due_at <= %s
)
SELECT b.id FROM due JOIN budgets_budget b USING (id) WHERE b.opened_generation >= b.generation ORDER BY b.id
"""

# Skips what another evaluator holds: it, or the next sweep, folds what it did not see. A time stamp costs as much to
# read as all numbers together, so those that only a beginning period or a carry-over needs are left out otherwise.
LOCK = """
SELECT id, period, starts_on, ends_on, amount, carry_over, thresholds, on_exhausted, status, limit_version,
    coalesce(opened_at, created_at), coalesce(due_at <= %s, false),
    CASE WHEN due_at <= %s OR carry_over > 0 THEN opened_from END,
    CASE WHEN carry_over > 0 THEN created_at END
FROM budgets_budget
WHERE id = ANY(%s) AND opened_generation >= generation
ORDER BY id
FOR NO KEY UPDATE SKIP LOCKED
"""

# One statement, one snapshot: a charge is either still there for the next evaluation or in the series, never both.
# Charges before `opened_from` are for periods that the budget does not keep.
FOLD = """
WITH gone AS (
    DELETE FROM budgets_budgetcharge WHERE budget_id = ANY(%s) RETURNING budget_id, bucket, amount, calls
), sums AS (
    SELECT gone.budget_id, gone.bucket, sum(gone.amount)::bigint AS amount, sum(gone.calls)::bigint AS calls
    FROM gone JOIN budgets_budget b ON b.id = gone.budget_id AND gone.bucket >= coalesce(b.opened_from, gone.bucket)
    GROUP BY gone.budget_id, gone.bucket
), folded AS (
    INSERT INTO budgets_budgetseries AS series (budget_id, bucket, amount, calls)
    SELECT budget_id, bucket, amount, calls FROM sums ORDER BY budget_id, bucket
    ON CONFLICT (budget_id, bucket)
    DO UPDATE SET amount = series.amount + EXCLUDED.amount, calls = series.calls + EXCLUDED.calls
)
SELECT budget_id, bucket, amount, calls FROM sums
"""

STATES = """
SELECT s.id, s.budget_id, s.period_start, s."limit", s.spent, s.calls, s.crossed, s.status, s.limit_version
FROM unnest(%s::bigint[], %s::date[]) AS w (budget_id, period_start)
JOIN budgets_budgetstate s USING (budget_id, period_start)
"""

NEWEST = "SELECT budget_id, max(period_start) FROM budgets_budgetstate WHERE budget_id = ANY(%s) GROUP BY budget_id"

SUMS = """
SELECT w.budget_id, w.starts_at, coalesce(sum(s.amount), 0)::bigint, coalesce(sum(s.calls), 0)::bigint
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS w (budget_id, starts_at, ends_at)
LEFT JOIN budgets_budgetseries s
    ON s.budget_id = w.budget_id AND s.bucket >= w.starts_at AND s.bucket < w.ends_at
GROUP BY w.budget_id, w.starts_at
"""

INSERT = """
INSERT INTO budgets_budgetstate (budget_id, period_start, period_end, starts_at, ends_at, "limit", spent, calls,
    crossed, status, limit_version, updated_at)
SELECT *, clock_timestamp()
FROM unnest(%s::bigint[], %s::date[], %s::date[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[],
    %s::bigint[], %s::int[], %s::text[], %s::int[])
"""

UPDATE = """
UPDATE budgets_budgetstate s SET "limit" = w.lim, spent = w.spent, calls = w.calls, crossed = w.crossed,
    status = w.status, limit_version = w.limit_version, updated_at = clock_timestamp()
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::int[])
    AS w (id, lim, spent, calls, crossed, status, limit_version)
WHERE s.id = w.id
"""

NEXT = """
UPDATE budgets_budget b SET due_at = w.due_at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS w (id, due_at) WHERE b.id = w.id
"""


class Locked(Struct, frozen=True):
    """A budget whose row this transaction holds. `amount` is in its metric.

    `told_from`: periods that were over by then raise no alerts. `opened_from` is read where a period began or something
    may be carried over, `created_at` in the latter case; None otherwise.
    """

    id: int
    period: str
    starts_on: date | None
    ends_on: date | None
    amount: int
    carry_over: Decimal
    thresholds: list[int]
    on_exhausted: str
    status: str
    limit_version: int
    told_from: datetime
    was_due: bool
    opened_from: datetime | None
    created_at: datetime | None


class State(Struct, frozen=True):
    """One row of budgets_budgetstate, `projected` apart, which is not evaluation's. `id` is None before it is there."""

    id: int | None
    budget_id: int
    period: Period
    limit: int
    spent: int
    calls: int
    crossed: int
    status: str
    limit_version: int

    @property
    def is_exhausted(self) -> bool:
        return self.status == BudgetState.Status.EXHAUSTED


class Folded(Struct, frozen=True):
    """What was folded into one quarter hour of one budget just now."""

    bucket: datetime
    amount: int
    calls: int


Wanted = Sequence[tuple[int, Period]]
"""Budgets and the periods of theirs that are asked for."""


def find_due(cursor: Any, now: datetime) -> list[int]:
    """Budgets with charges waiting, and those whose next look is due; opened ones only."""
    cursor.execute(DUE, [now])
    return [row[0] for row in cursor.fetchall()]


def lock(cursor: Any, budget_ids: Sequence[int], now: datetime) -> list[Locked]:
    """Those of the budgets that nobody else evaluates at this moment."""
    cursor.execute(LOCK, [now, now, list(budget_ids)])
    return [Locked(*row) for row in cursor.fetchall()]


def fold(cursor: Any, budget_ids: Sequence[int]) -> dict[int, list[Folded]]:
    """Move the budgets' charges into their series."""
    cursor.execute(FOLD, [list(budget_ids)])
    folded: dict[int, list[Folded]] = defaultdict(list)
    for budget_id, bucket, amount, calls in cursor.fetchall():
        folded[budget_id].append(Folded(bucket, amount, calls))
    return folded


def read_states(cursor: Any, wanted: Wanted) -> dict[tuple[int, date], State]:
    """The states there are, by budget and first day."""
    if not wanted:
        return {}
    periods = {(budget_id, period.first): period for budget_id, period in wanted}
    cursor.execute(STATES, [[budget_id for budget_id, _ in periods], [first for _, first in periods]])
    return {
        (budget_id, first): State(state_id, budget_id, periods[budget_id, first], *values)
        for state_id, budget_id, first, *values in cursor.fetchall()
    }


def newest_states(cursor: Any, budget_ids: Sequence[int]) -> dict[int, date]:
    """The first day of each budget's newest state; budgets without one are absent."""
    cursor.execute(NEWEST, [list(budget_ids)])
    return dict(cursor.fetchall())


def sum_series(cursor: Any, wanted: Wanted) -> dict[tuple[int, datetime], tuple[int, int]]:
    """Amount and calls of each budget's series over a period, by budget and the period's first instant."""
    if not wanted:
        return {}
    cursor.execute(
        SUMS,
        [
            [budget_id for budget_id, _ in wanted],
            [period.starts_at for _, period in wanted],
            [period.ends_at for _, period in wanted],
        ],
    )
    return {(budget_id, starts_at): (amount, calls) for budget_id, starts_at, amount, calls in cursor.fetchall()}


def write_states(cursor: Any, states: Iterable[State]) -> None:
    """Insert those that are not there yet, replace the others."""
    new: list[State] = []
    old: list[State] = []
    for state in states:
        (new if state.id is None else old).append(state)
    if new:
        columns = [[one.budget_id for one in new]]
        columns += [[getattr(one.period, name) for one in new] for name in ("first", "last", "starts_at", "ends_at")]
        cursor.execute(INSERT, columns + _standing(new))
    if old:
        cursor.execute(UPDATE, [[one.id for one in old], *_standing(old)])


def _standing(states: Sequence[State]) -> list[list[Any]]:
    names = ("limit", "spent", "calls", "crossed", "status", "limit_version")
    return [[getattr(one, name) for one in states] for name in names]


def write_next_looks(cursor: Any, due: dict[int, datetime | None]) -> None:
    """When each budget is due although nothing was charged."""
    if due:
        cursor.execute(NEXT, [list(due), list(due.values())])
