"""The figures of a request, against ones worked out by hand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from budgets.approvals.facts import Asked, Facts
from budgets.audit.record import Actor
from budgets.limits.edit import create_budget
from budgets.limits.evaluate import evaluate_due
from budgets.limits.values import BudgetValues
from budgets.models import Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from routing.approvals.facts import facts_for
from routing.models import Tier
from usage.ledger.opening import open_due
from usage.rollups.fold import fold_all
from usage.tests.events import a_sender, an_event, price_the_model, take

pytestmark = pytest.mark.django_db(transaction=True)
MODELS = {1: "cheap-model", 2: "middle-model", 3: "best-model"}
ASKED = Asked(kind="premium", reason="Launch", workflow="briefs", tier=3, runs=10)
DOLLAR = 10**9


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture(autouse=True)
def company():
    """Cheap costs $1 and $2 a million, middle $2 and $4, best $10 and $20."""
    Organisation.get()
    with changing_configuration():
        for model, input_price, output_price in zip(MODELS.values(), ["1", "2", "10"], ["2", "4", "20"], strict=True):
            price_the_model(input_price, output_price, model)
        for number, model in MODELS.items():
            Tier.objects.update_or_create(
                number=number,
                defaults={"name": f"Tier {number}", "models": [{"provider": "acme", "model": model}]},
            )
        team = Team.objects.create(slug="content", name="Content")
        Workflow.objects.create(slug="briefs", name="Briefs", status="production", team=team, default_tier=1)


def two_runs(now):
    """Two runs, three calls of a million tokens in and half a million out: 3 × ($1 + $1) = $6, $3 a run."""
    calls = [("a", "r1"), ("b", "r1"), ("c", "r2")]
    take(
        [
            an_event(
                event_id, workflow="briefs", run_id=run_id, model=MODELS[1], provider="acme",
                input_tokens=1_000_000, output_tokens=500_000, time=(now - timedelta(hours=1)).isoformat(),
            )
            for event_id, run_id in calls
        ],
        a_sender(),
        now,
    )  # fmt: skip
    fold_all()


def test_what_more_it_costs_and_the_cheaper_choice(now):
    two_runs(now)
    facts = facts_for(ASKED, now)
    # By the best model 3 × ($10 + $10) = $60, $30 a run; by the middle one 3 × ($2 + $2) = $12, $6 a run.
    assert (facts.cost_per_run, facts.premium_per_run) == (3 * DOLLAR, 30 * DOLLAR)
    assert (facts.runs, facts.based_on_runs, facts.extra_cost) == (10, 2, 270 * DOLLAR)
    assert (facts.cheaper_tier, facts.cheaper_per_run, facts.cheaper_extra) == (2, 6 * DOLLAR, 30 * DOLLAR)


def test_never_more_than_the_ceiling_that_was_asked_for(now):
    two_runs(now)
    capped = Asked(kind="premium", reason="x", workflow="briefs", tier=3, runs=10, ceiling=50 * DOLLAR)
    assert facts_for(capped, now).extra_cost == 50 * DOLLAR


def test_from_nothing_nothing_is_made_up(now):
    facts = facts_for(ASKED, now)
    assert facts.based_on_runs == 0
    assert (facts.cost_per_run, facts.premium_per_run, facts.extra_cost, facts.cheaper_per_run) == (None,) * 4
    assert facts_for(Asked(kind="premium", reason="x", workflow="nobody", tier=3), now) == Facts()


def test_as_many_runs_as_would_come(now):
    two_runs(now)
    until = Asked(kind="premium", reason="x", workflow="briefs", tier=3, wanted_until=now + timedelta(days=15))
    assert facts_for(until, now).runs == 1


def test_the_budget_that_it_fills_most(now):
    two_runs(now)
    actor = Actor.command("test")
    create_budget(actor, BudgetValues(name="All", amount=1000 * DOLLAR))
    create_budget(actor, BudgetValues(name="Content", amount=100 * DOLLAR, scope={"team": "content"}))
    create_budget(actor, BudgetValues(name="Other", amount=1 * DOLLAR, scope={"user": "ann"}))
    open_due()
    evaluate_due()
    facts = facts_for(ASKED, now)
    assert (facts.budget_name, facts.budget_limit) == ("Content", 100 * DOLLAR)
    spent = facts.budget_spent
    assert spent in {0, 6 * DOLLAR}  # an hour ago may have been last month
    assert facts.budget_after == spent + 270 * DOLLAR
    raised = facts_for(Asked(kind="budget", reason="x", budget="content", amount=150 * DOLLAR), now)
    assert (raised.extra_cost, raised.budget_limit) == (50 * DOLLAR, 100 * DOLLAR)
