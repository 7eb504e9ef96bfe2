"""The Overview beyond its sums: where the month leads as forecast, what an asset costs, and what is asked next."""

from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from django.utils import timezone

from budgets.models import BudgetState, Organisation, Workflow
from budgets.organisation.configuration import changing_configuration
from reports.asking.window import window_of
from reports.figures.sums import Went
from reports.models import Outlook
from reports.outlook.towards import towards
from reports.overview import answers, figures
from reports.overview.ahead import ahead
from reports.overview.drawing import chart
from reports.overview.spend import shape
from reports.overview.views import range_bar
from reports.tests.rows import NANO, budget_with, summed, usage_row
from usage.models import Run

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def window_now():
    organisation = Organisation.get()
    return window_of({}, timezone.now(), organisation.zone)


def outlook(window, made_for=None, *, key="", kind="organisation", landing=(300, 250, 400, 200, 500), steps=None):
    """A forecast in dollars of each day up to the window's end: 10 a day, between 8 and 14."""
    made_for = made_for or window.today
    left = (window.ends - made_for).days + 1
    steps = [[10, 8, 14, 5, 20]] * left if steps is None else steps
    return Outlook.objects.create(
        kind=kind, key=key, grain="day", made_for=made_for, made_at=timezone.now(), starts_at=timezone.now(),
        period_first=window.first, period_end=window.ends, landing=[one * NANO for one in landing],
        steps=[[one * NANO for one in step] for step in steps],
    )  # fmt: skip


def test_days_to_come_lead_exactly_to_the_landing():
    assert towards(100, 200, [10, 30, 10]) == [120, 180, 200]
    assert towards(100, 200, [0, 0]) == [150, 200]
    assert towards(100, 90, [1, 1]) == [95, 90]
    assert towards(5, 9, []) == []


def test_without_a_budget_for_all_the_organisation_leads_as_forecast():
    window = window_now()
    assert ahead(window, None, 0) is None
    outlook(window)
    found = ahead(window, None, 20 * NANO)
    assert (found.landing, found.low, found.high) == (300 * NANO, 250 * NANO, 400 * NANO)
    assert len(found.days) == (window.ends - window.today).days + 1
    assert ahead(window, None, 320 * NANO).landing == 320 * NANO  # never below what is spent
    over = window_of({"period": "last-month"}, timezone.now(), window.zone)
    assert ahead(over, None, 0) is None
    page = figures.overview(Organisation.get(), window, timezone.now())
    assert (page.landing, page.how) == (300 * NANO, "As forecast")


def test_a_forecast_of_yesterday_counts_from_today_and_an_old_one_not_at_all():
    window = window_now()
    steps = [[99, 98, 97, 96, 95], *[[10, 8, 14, 5, 20]] * 40]
    outlook(window, window.today - DAY, steps=steps)
    found = ahead(window, None, 0)
    assert {one.middle for one in found.days} == {10 * NANO}
    Outlook.objects.update(made_for=window.today - 3 * DAY)
    assert ahead(window, None, 0) is None


def test_a_budget_for_all_says_itself_where_it_leads():
    window, now = window_now(), timezone.now()
    budget = budget_with("Everything", 900 * NANO, {}, now)
    outlook(window)
    page = figures.overview(Organisation.get(), window, now)
    assert page.ahead is None  # it stands at an even pace
    outlook(window, key=str(budget.pk), kind="budget", landing=(880, 700, 950, 600, 990))
    BudgetState.objects.filter(budget=budget).update(projected=880 * NANO, projected_at=now)
    page = figures.overview(Organisation.get(), window, now)
    assert (page.landing, page.ahead.landing, page.ahead.high) == (880 * NANO, 880 * NANO, 950 * NANO)
    bar = range_bar(page.ahead, 900 * NANO)
    assert bar["tone"] == "watch"
    assert bar["words"] == "Likely between $700 and $950. The plan is $900."


def test_the_chart_has_the_days_to_come_and_ends_where_the_tile_does():
    window = window_now()
    outlook(window)
    found = ahead(window, None, 0)
    spend = shape(window, [], [], [], {})
    drawn = chart(spend, currency="USD", landing=found.landing, how="As forecast", forecast=found)
    assert drawn["forecast"]["mid"] == [10.0] * len(found.days)
    assert (drawn["total"]["ahead"][-1], drawn["total"]["lo"][-1], drawn["total"]["hi"][-1]) == (300.0, 250.0, 400.0)
    assert len(drawn["labels"]) == drawn["today"] + 1 + len(found.days)
    assert chart(spend, currency="USD", landing=300 * NANO)["forecast"] is None


def flow(slug: str) -> Workflow:
    with changing_configuration():
        return Workflow.objects.create(slug=slug, name=slug.title(), status="production")


def ran(workflow: Workflow, when: datetime, cost: int, outcome: str = "rejected", revenue: int = 0) -> None:
    """A run of that time with what came of it, as folding leaves it; money in dollars."""
    run_id = f"run-{Run.objects.count()}"
    Run.objects.create(
        workflow_id=workflow.pk, run_id=run_id, first_call=when, last_call=when,
        calls=1, cost=cost * NANO, outcome=outcome, revenue=revenue * NANO if revenue else None,
    )  # fmt: skip
    spent = {"calls_in_runs": 1, "cost_in_runs": cost * NANO}
    summed([usage_row(when, cost * NANO, model=run_id, workflow_id=workflow.pk, **spent)])


def test_an_approved_asset_costs_what_all_runs_cost():
    window, now = window_now(), timezone.now()
    found = figures.overview(Organisation.get(), window, now).assets
    assert (found.cost, found.why) == (None, "no call names its run")
    briefs = flow("briefs")
    ran(briefs, now, 20, "approved")
    ran(briefs, now, 10, "shipped")
    ran(flow("ads"), now, 12)
    found = figures.overview(Organisation.get(), window, now).assets
    assert (found.cost, found.approved) == (Fraction(42 * NANO, 2), 2)


def test_what_is_not_worth_its_money_is_named():
    window, now = window_now(), timezone.now()
    assert answers.worth(window) == "It cannot be said: no call names its run."
    ran(flow("good"), now, 10, "shipped", revenue=50)
    assert answers.worth(window) == "Every workflow that says what it brings in earns more than it costs."
    ran(flow("bad"), now, 40, "shipped", revenue=15)
    ran(flow("worse"), now, 90, "shipped", revenue=20)
    ran(flow("barren"), now, 7)
    assert answers.worth(window) == (
        "Worse brought in $20 and cost $90. 1 more costs more than it earns. "
        "Barren cost $7.00 and nothing of it is approved."
    )


def test_corrections_of_what_closed_days_brought_in_say_nothing_about_these_days(monkeypatch):
    went = Went(runs=1, judged=1, approved=1, spent=10 * NANO, shipped_revenue=-5 * NANO)
    monkeypatch.setattr(answers, "runs_of", lambda window: {1: went})
    assert answers.worth(window_now()) == "It cannot be said: what runs of closed days brought in is less now."


def test_the_budget_that_is_furthest_over_is_explained(admin_client):
    organisation, now = Organisation.get(), timezone.now()
    assert answers.blown(organisation, now) is None
    today = window_now().today
    budget_with("Small", 3 * NANO, {today: 4 * NANO}, now)
    budget_with("Large", 100 * NANO, {today: 150 * NANO}, now, slug="large")
    budget_with("Calls", 5, {today: 900}, now, metric="calls")
    found = answers.blown(organisation, now)
    assert (found.slug, found.is_over) == ("large", True)
    page = admin_client.get("/overview/answers/").content.decode()
    assert "Why Large is over its limit" in page
    assert 'hx-get="/budgets/large/why/line/"' in page
    assert "Not worked out yet" in page
    line = admin_client.get("/budgets/large/why/line/").content.decode()
    assert "the limit of $100" in line


def test_a_budget_that_only_heads_over_says_that_it_is_within_its_plan_so_far(admin_client):
    now = timezone.now()
    budget = budget_with("Calm", 9_000 * NANO, {}, now, slug="calm")
    BudgetState.objects.filter(budget=budget).update(projected=9_900 * NANO, projected_at=now)
    line = admin_client.get("/budgets/calm/why/line/").content.decode()
    assert "It is within its plan so far" in line
    assert "less than the plan" in line
