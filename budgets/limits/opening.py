"""Opening balances: what a new or re-scoped budget had already spent, exact while events stream in.

A budget of generation g is charged by every ingest transaction of generation g or later. All earlier ones had committed
when g began, because a change of configuration waits for them; so ledger rows below g never change again, and any
snapshot taken afterwards gives the same opening. The ledger is read without a lock; only the result is written under
one. Until then evaluation leaves the budget alone and its charges wait.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection, transaction
from django.db.models import F

from budgets.limits.calendar import day_of, period_bounds, previous_period
from budgets.models import Budget, Organisation

OPENING_LOCK = 7_061_004  # advisory lock number: one reader of the ledger at a time
CHUNK = 200  # budgets in one reading of the ledger


@dataclass(frozen=True, slots=True)
class Opening:
    """What to read: rows posted from `since` on, written before `generation` (None: all), that `scope` covers."""

    budget_id: int
    metric: str
    scope: Mapping[str, str]
    since: datetime
    generation: int | None


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget's amount (in its metric) and calls in one quarter hour (UTC)."""

    budget_id: int
    bucket: datetime
    amount: int
    calls: int


ReadLedger = Callable[[Sequence[Opening]], Iterable[Spent]]
"""Reads openings whose scopes name the same dimensions; at most one Spent for each budget and quarter hour."""

WRITE = """
INSERT INTO budgets_budgetseries (budget_id, bucket, amount, calls)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[])
"""


def open_budgets(read_ledger: ReadLedger, now: datetime | None = None) -> int:
    """Open every budget that waits for it, unless another process is at it; returns how many were opened.

    To be called outside a transaction. Budgets whose scopes name the same dimensions share one reading.
    """
    opened = 0
    waiting = list(
        Budget.objects.filter(opened_generation__lt=F("generation"))
        .exclude(status=Budget.Status.ARCHIVED)
        .order_by("id")
        .values_list("id", "scope")
    )
    by_shape: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for budget_id, scope in waiting:
        by_shape[tuple(sorted(scope))].append(budget_id)
    for budget_ids in by_shape.values():
        for start in range(0, len(budget_ids), CHUNK):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [OPENING_LOCK])
                if not cursor.fetchone()[0]:
                    return opened
                opened += _open(budget_ids[start : start + CHUNK], read_ledger, now or datetime.now(UTC))
    return opened


def _open(budget_ids: Sequence[int], read_ledger: ReadLedger, now: datetime) -> int:
    organisation = Organisation.get()
    waiting = Budget.objects.filter(pk__in=budget_ids, opened_generation__lt=F("generation")).order_by("pk")
    openings = {budget.pk: opening_of(budget, organisation, now) for budget in waiting}
    if not openings:
        return 0
    spent = list(read_ledger(list(openings.values())))
    # What was edited meanwhile has another generation, and is read anew next time.
    locked = {
        budget.pk: budget
        for budget in Budget.objects.select_for_update(no_key=True).filter(pk__in=openings).order_by("pk")
        if budget.generation == openings[budget.pk].generation and budget.opened_generation < budget.generation
    }
    rows = [row for row in spent if row.budget_id in locked]
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE,
            [
                [row.budget_id for row in rows],
                [row.bucket for row in rows],
                [row.amount for row in rows],
                [row.calls for row in rows],
            ],
        )
    for budget in locked.values():
        budget.opened_generation = budget.generation
        budget.opened_from = openings[budget.pk].since
        budget.opened_at = budget.due_at = now
    Budget.objects.bulk_update(locked.values(), ["opened_generation", "opened_from", "opened_at", "due_at"])
    return len(locked)


def opening_of(budget: Budget, organisation: Organisation, now: datetime) -> Opening:
    """From the start of the period before the present one; of fixed dates, from their start."""
    zone, fiscal = organisation.zone, organisation.fiscal_year_starts
    today = day_of(now, zone)
    period = period_bounds(budget.period, today, zone, budget.starts_on, budget.ends_on, fiscal_year_starts=fiscal)
    first = previous_period(budget.period, period, zone, fiscal) or period
    return Opening(budget.pk, budget.metric, budget.scope, first.starts_at, budget.generation)


def reopen(budget_ids: Sequence[int], generation: int) -> None:
    """Have the budgets read from the ledger anew, as they are charged from `generation` on.

    Inside `changing_configuration`, whose exclusive lock keeps ingest and evaluation out: what waits or was folded
    until now was charged under the old scope or calendar, and every charge that comes later is of the new generation.
    The rows are locked first: an opener that is writing has no such lock, and what it writes must be deleted too.
    """
    list(Budget.objects.select_for_update(no_key=True).filter(pk__in=budget_ids).order_by("pk").values_list("pk"))
    with connection.cursor() as cursor:
        for table in ("budgets_budgetcharge", "budgets_budgetseries", "budgets_budgetstate"):
            cursor.execute(f"DELETE FROM {table} WHERE budget_id = ANY(%s)", [list(budget_ids)])  # our own names
    Budget.objects.filter(pk__in=budget_ids).update(generation=generation, opened_from=None)


def reopen_all(generation: int) -> None:
    """After a change of the organisation's time zone or fiscal year: every period has other bounds."""
    kept = Budget.objects.exclude(status=Budget.Status.ARCHIVED).values_list("pk", flat=True)
    reopen(list(kept), generation)
