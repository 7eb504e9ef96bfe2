"""Budgets, charges and threads for the tests of this floor."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.db import connection, transaction
from django.db.models import Sum

from budgets.audit.record import Actor
from budgets.limits.calendar import quarter_hour
from budgets.limits.charges import Charge, statement_of
from budgets.limits.edit import BudgetValues, create_budget
from budgets.limits.evaluate import evaluate_due
from budgets.limits.opening import open_budgets
from budgets.models import Budget, BudgetCharge, BudgetSeries, BudgetState, Crossing
from budgets.organisation.configuration import HOLD_CONFIGURATION

ACTOR = Actor.command("test")
NOW = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def a_budget(amount: int = 1000, name: str = "Briefs", now: datetime = NOW, **values: object) -> Budget:
    """A budget that is open as of `now`, with nothing spent, made long before and not evaluated yet."""
    budget = create_budget(ACTOR, BudgetValues(name=name, amount=amount, **values))
    open_budgets(lambda openings: [], now)
    Budget.objects.filter(pk=budget.pk).update(opened_at=at("2020-01-01T00:00Z"), created_at=at("2020-01-01T00:00Z"))
    budget.refresh_from_db()
    return budget


def charge(budget: Budget, amount: int, when: datetime = NOW, calls: int = 1) -> None:
    """As ingest does it: under the shared lock, in a transaction of its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD_CONFIGURATION)
        cursor.execute(*statement_of([Charge(budget.pk, quarter_hour(when), amount, calls)]))


def spend(budget: Budget, amount: int, when: datetime = NOW, now: datetime | None = None) -> BudgetState:
    charge(budget, amount, when)
    evaluate_due(now=now or when)
    return state(budget, when)


def state(budget: Budget, when: datetime = NOW) -> BudgetState:
    return BudgetState.objects.get(budget=budget, starts_at__lte=when, ends_at__gt=when)


def told(budget: Budget) -> list[tuple[str, str, int, int]]:
    """Every alert as (first day, kind, threshold, limit version), in the order raised."""
    rows = Crossing.objects.filter(budget=budget).order_by("id")
    return [(str(row.period_start), row.kind, row.threshold, row.limit_version) for row in rows]


def holds(budget: Budget) -> None:
    """What must always be true of a budget without charges waiting: its states equal its series."""
    assert not BudgetCharge.objects.filter(budget=budget).exists()
    for one in BudgetState.objects.filter(budget=budget):
        series = BudgetSeries.objects.filter(budget=budget, bucket__gte=one.starts_at, bucket__lt=one.ends_at)
        sums = series.aggregate(amount=Sum("amount", default=0), calls=Sum("calls", default=0))
        assert (one.spent, one.calls) == (sums["amount"], sums["calls"])


def at_once(*runs: Callable[[], object]) -> list[object]:
    """Run all in threads that start together; what they returned. The first error is raised."""
    start = threading.Barrier(len(runs))
    results: list[object] = [None] * len(runs)
    errors: list[BaseException] = []

    def run(n: int, one: Callable[[], object]) -> None:
        try:
            start.wait(30)
            results[n] = one()
        except BaseException as error:  # raised again below
            errors.append(error)
        finally:
            connection.close()

    threads: Sequence[threading.Thread] = [
        threading.Thread(target=run, args=(n, one), daemon=True) for n, one in enumerate(runs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if errors:
        raise errors[0]
    return results
