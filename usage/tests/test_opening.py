"""Openings: a new or edited budget reads what was spent before it, exactly, while events stream in."""

import random
import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from budgets.limits.edit import BudgetValues, archive_budget, change_budget, create_budget, undo_change, values_of
from budgets.limits.evaluate import evaluate_due
from budgets.limits.opening import Opening, open_budgets, reopen_all
from budgets.models import Budget, BudgetCharge, BudgetSeries, BudgetState, Crossing, Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR, at_once, holds
from usage.ledger.opening import open_due, read_ledger
from usage.models import LedgerEntry
from usage.tests.events import NOW, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)
SCOPES = [
    {},
    {"team": "growth"},
    {"workflow": "seo"},
    {"environment": "staging"},
    {"user": "ada"},
    {"application": "cms"},
    {"customer": "acme"},
    {"model": "test-model"},
    {"provider": "acme"},
    {"tag": "campaign=spring"},
    {"workflow": "seo", "tag": "campaign=spring", "user": "ada"},
]


@pytest.fixture(autouse=True)
def priced():
    Team.objects.create(slug="growth", name="Growth")
    Workflow.objects.create(slug="seo", name="SEO")
    with changing_configuration():
        price_the_model()


def events(seed: int, count: int) -> list[dict]:
    """Calls over the last 60 days, each dimension stated or not."""
    chance = random.Random(seed)
    stated = {
        "team": ["growth", "other"],
        "workflow": ["seo", "social"],
        "environment": ["staging", "production"],
        "user": ["ada", "bob"],
        "application": ["cms"],
        "customer": ["acme"],
        "tags": [{"campaign": "spring"}, {"campaign": "autumn", "other": "spring"}],
        "model": ["test-model", "unpriced-model"],
    }
    return [
        an_event(
            f"{seed}-{n}",
            time=(NOW - timedelta(minutes=chance.randrange(60 * 24 * 60))).isoformat(),
            input_tokens=chance.randrange(10_000),
            **{name: chance.choice(values) for name, values in stated.items() if chance.random() < 0.7},
        )
        for n in range(count)
    ]


def settle() -> None:
    open_due(NOW)
    evaluate_due(now=NOW)


def sums(rows) -> dict:
    return {(row.budget_id, row.bucket): (row.amount, row.calls) for row in rows if (row.amount, row.calls) != (0, 0)}


def equals_the_ledger() -> None:
    """Every series is what the whole ledger says from where the series begins; every state is its series."""
    assert not BudgetCharge.objects.exists()
    budgets = list(Budget.objects.exclude(status="archived"))
    whole = [Opening(one.pk, one.metric, one.scope, one.opened_from, None) for one in budgets]
    assert sums(BudgetSeries.objects.filter(budget__in=budgets)) == sums(read_ledger(whole))
    for one in budgets:
        holds(one)


def by_hand(budget: Budget) -> tuple[int, int]:
    """Amount and calls of November as plain Python finds them in the ledger."""
    slugs = dict(Workflow.objects.values_list("id", "slug"))
    amount = calls = 0
    for row in LedgerEntry.objects.filter(posted_at__gte="2026-11-01T00:00Z"):
        states = {name: getattr(row, name) for name in ("team", "environment", "user", "application", "customer")}
        states |= {"model": row.model, "provider": row.provider, "workflow": slugs[row.workflow_id]}
        for dimension, value in budget.scope.items():
            if dimension == "tag":
                if value not in [f"{key}={said}" for key, said in (row.tags or {}).items()]:
                    break
            elif states[dimension] != value:
                break
        else:
            calls += 1
            amount += {"money": row.cost or 0, "tokens": row.input_tokens + row.output_tokens, "calls": 1}[
                budget.metric
            ]
    return amount, calls


@pytest.mark.parametrize("metric", ["money", "tokens", "calls"])
def test_an_opening_is_what_the_ledger_holds_for_every_scope(metric):
    assert take(events(1, 300)).accepted == 300
    made = [create_budget(ACTOR, BudgetValues(name="B", amount=10**15, scope=one, metric=metric)) for one in SCOPES]
    settle()
    for budget in made:
        budget.refresh_from_db()
        found = BudgetState.objects.get(budget=budget, period_start="2026-11-01")
        assert (found.spent, found.calls) == by_hand(budget), budget.scope
        assert found.calls > 0
        assert str(budget.opened_from) == "2026-10-01 00:00:00+00:00"
    equals_the_ledger()


def test_what_is_charged_and_what_is_read_meet_without_gap_or_overlap():
    take(events(1, 100))
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=10**15))
    take(events(2, 100))
    evaluate_due(now=NOW)
    assert not BudgetState.objects.exists() and BudgetCharge.objects.exists()
    settle()
    take(events(3, 100))
    settle()
    assert BudgetState.objects.get(period_start="2026-11-01").calls == by_hand(budget)[1]
    equals_the_ledger()


def test_past_periods_are_read_but_raise_no_alerts():
    take(an_event("a", time="2026-10-20T10:00:00Z"))
    take(an_event("b"))
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=1, metric="calls", thresholds=(100,)))
    settle()
    assert [(str(one.period_start), one.status) for one in budget.states.order_by("period_start")] == [
        ("2026-10-01", "exhausted"),
        ("2026-11-01", "exhausted"),
    ]
    assert [str(one.period_start) for one in Crossing.objects.all()] == ["2026-11-01"]


def test_budgets_made_and_edited_while_events_stream_in_are_exact():
    """Writers, an opener and two evaluators run while budgets are made, changed in scope and amount, and undone."""
    writing = threading.Semaphore(0)
    writers = 3

    def write(seed):
        for n in range(12):
            assert take(events(seed * 1000 + n, 15)).accepted == 15
        writing.release()

    def until_written(act):
        while writing._value < writers:
            act()

    def make():
        chance = random.Random(7)
        for n in range(10):
            metric = chance.choice(["money", "tokens", "calls"])
            values = BudgetValues(name=f"B{n}", amount=10**9, scope=chance.choice(SCOPES), metric=metric)
            budget = create_budget(ACTOR, values)
            if n % 2:
                change_budget(ACTOR, budget, replace(values, scope=chance.choice(SCOPES)))
            if n % 3 == 0:
                change_budget(ACTOR, budget, replace(values_of(Budget.objects.get(pk=budget.pk)), amount=2 * 10**9))
            if n % 4 in {1, 2}:  # goes back to another scope, or into the archive
                undo_change(ACTOR, budget)

    at_once(
        *[partial(write, seed) for seed in range(1, writers + 1)],
        partial(until_written, lambda: open_due(NOW)),
        partial(until_written, lambda: evaluate_due(now=NOW)),
        partial(until_written, settle),
        make,
    )
    settle()
    assert LedgerEntry.objects.count() == 3 * 12 * 15
    assert Budget.objects.count() == 10
    equals_the_ledger()
    for budget in Budget.objects.filter(status="active"):
        found = BudgetState.objects.get(budget=budget, period_start="2026-11-01")
        assert (found.spent, found.calls) == by_hand(budget)


def test_an_edit_while_the_ledger_is_read_makes_that_reading_void():
    take(events(1, 40))
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=10**15))
    reading, edited = threading.Event(), threading.Event()

    def slow(openings):
        found = list(read_ledger(openings))
        reading.set()
        assert edited.wait(30)
        return found

    def edit():
        assert reading.wait(30)
        change_budget(ACTOR, budget, replace(values_of(budget), scope={"user": "ada"}))
        take(events(2, 40))
        edited.set()

    opened, _ = at_once(lambda: open_budgets(slow, NOW), edit)
    assert opened == 0 and not BudgetSeries.objects.exists()
    settle()
    equals_the_ledger()
    budget.refresh_from_db()
    assert BudgetState.objects.get(period_start="2026-11-01").calls == by_hand(budget)[1] > 0


def test_another_time_zone_reads_everything_anew():
    take(events(1, 200))
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=10**15, metric="calls"))
    settle()
    with changing_configuration() as generation:
        Organisation.objects.update(time_zone="Asia/Kathmandu")
        reopen_all(generation)
    take(events(2, 50))
    settle()
    november = BudgetState.objects.get(budget=budget, period_start="2026-11-01")
    assert str(november.starts_at) == "2026-10-31 18:15:00+00:00"
    assert november.spent == LedgerEntry.objects.filter(posted_at__gte=november.starts_at).count()
    equals_the_ledger()


def test_a_budget_back_from_the_archive_has_what_passed_meanwhile():
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=10**15, metric="calls"))
    take(events(1, 30))
    settle()
    archive_budget(ACTOR, budget)
    take(events(2, 30))
    settle()
    undo_change(ACTOR, budget)
    take(events(3, 30))
    settle()
    equals_the_ledger()


def test_one_reading_opens_all_budgets_of_one_shape():
    take(events(1, 50))

    def readings(count: int) -> int:
        for n in range(count):
            create_budget(ACTOR, BudgetValues(name=f"B{n}", amount=10, scope={"user": f"u{n}"}))
        with CaptureQueriesContext(connection) as captured:
            assert open_due(NOW) == count
        return len([one for one in captured if "FROM usage_ledger" in one["sql"]])

    assert readings(1) == readings(12) == 1
    with CaptureQueriesContext(connection) as captured:
        assert open_due(NOW) == 0
    assert len(captured) == 1
