"""Figures of runs: what only shipped ones are worth, and what closed months keep."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from budgets.models import Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from reports.asking.scope import Scope
from reports.asking.window import Window, of_days
from reports.figures.arithmetic import compute
from reports.figures.asked import asked_of
from reports.figures.documents import document, table_lines
from reports.figures.figures import figures
from reports.figures.gather import gather
from reports.figures.sums import Read, Used
from reports.figures.tables import Reads, models
from tests.people import someone
from usage.ledger.check import check_ledger
from usage.models import Run
from usage.tests.events import NOW, price_the_model
from usage.tests.telling import call, tell

pytestmark = pytest.mark.django_db(transaction=True)
ZONE = ZoneInfo("UTC")
CALL_COST = 3_000_000
OCTOBER = datetime(2026, 10, 20, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def priced():
    team = Team.objects.create(slug="growth", name="Growth")
    with changing_configuration():
        price_the_model()
        limits = {"max_run_steps": 4}
        Workflow.objects.create(slug="seo", name="SEO", team=team, status="production", guardrails=limits)


def days(first: datetime, last: datetime) -> Window:
    return of_days(first.date(), last.date(), (NOW + timedelta(days=9)).date(), ZONE)


def test_value_is_that_of_shipped_runs_for_what_all_of_them_cost():
    for run_id in ("sold", "liked", "bad"):
        call(f"{run_id}-1", run_id, NOW)
    tell("liked", "approved", revenue_usd="70")
    window = days(NOW, NOW)
    found = figures(Scope(), window)
    assert found.value_per_dollar is None
    assert found.why["value_per_dollar"] == "no run that was shipped states what it brought in"
    tell("sold", "shipped", revenue_usd="0.036")
    tell("bad", "rejected", revenue_usd="50")
    assert figures(Scope(), window).value_per_dollar == Fraction(36_000_000, 3 * CALL_COST)


def test_whether_runs_went_the_wrong_way_is_said_only_where_somebody_says_so():
    for run_id in ("one", "two"):
        call(f"{run_id}-1", run_id, NOW)
    tell("one", "approved")
    found = figures(Scope(), days(NOW, NOW))
    assert found.misrouted_share is None
    assert found.why["misrouted_share"] == "no outcome states whether a run went the wrong way"
    tell("one", "approved", misrouted=False, now=NOW + timedelta(hours=1))
    assert figures(Scope(), days(NOW, NOW)).misrouted_share == 0, "stated, and so known"
    tell("two", "rejected", misrouted=True)
    assert figures(Scope(), days(NOW, NOW)).misrouted_share == Fraction(1, 2)
    assert check_ledger() == []


def test_runs_without_a_price_have_no_cost_for_a_result():
    call("free", "free", NOW, model="nobody-knows", user="ada", agent="writer", customer="acme")
    tell("free", "shipped", revenue_usd="5", minutes_saved=3, cases=2, reviewer="ann", review_minutes=1)
    gathered = gather(asked_of(QueryDict("period=7d"), someone("viewer"), Organisation.get(), NOW + timedelta(days=2)))
    found = gathered.figures
    for name in ("cost", "cost_per_approved", "cost_per_completed", "cost_per_case", "cost_per_user", "cost_per_team",
                 "cost_per_customer", "value_per_dollar", "minutes_saved_per_dollar"):  # fmt: skip
        assert found.value(name) is None, name
        assert name == "cost" or found.why[name] == "none of these calls has a price yet"
    assert document(gathered, "USD")["spend"] is None
    tables = {key: table_lines(table) for key, table in gathered.tables.items()}
    for key in ("workflows", "models", "teams", "customers", "users", "agents"):
        assert [line["spend"] for line in tables[key]] == [None], key
    assert [(line["cost_of_runs"], line["cost_per_approved"]) for line in tables["value"]] == [(None, None)]
    call("failed", "free", NOW, model="nobody-knows", input_tokens=0, output_tokens=0, status="error")
    assert figures(Scope(), days(NOW, NOW)).cost is None, "a failed call that cost nothing makes no cost known"
    call("paid", "paid", NOW, user="ada")
    assert figures(Scope(), days(NOW, NOW)).cost == CALL_COST, "what is known counts, beside what is not"
    assert figures(Scope(), days(NOW, NOW)).cost_per_user == CALL_COST


def test_what_comes_later_changes_no_step_of_a_closed_month():
    for run_id, step in (("short", 1), ("long", 9), ("gone", 9)):
        call(f"{run_id}-1", run_id, OCTOBER, now=OCTOBER, step=step)
    window = days(OCTOBER, OCTOBER)
    before = figures(Scope(), window)
    assert (before.loop_rate, before.steps_per_run) == (Fraction(2, 3), Fraction(19, 3))
    with changing_configuration():
        Organisation.objects.update(closed_before=NOW.date().replace(day=1))
    call("short-2", "short", OCTOBER, step=12)
    assert Run.objects.get(run_id="short").max_step == 12
    assert figures(Scope(), window) == before


def test_a_team_whose_calls_were_taken_back_is_no_team_that_spent():
    teams = {"growth": Used(calls=2, cost=10), "gone": Used()}
    found = compute(Read(total=Used(calls=2, cost=10), teams=teams))
    assert found.cost_per_team == 10


def test_what_has_no_price_has_no_share():
    read = Read(
        total=Used(calls=3, cost=10, unpriced=1),
        models={("acme", "known"): Used(calls=2, cost=10), ("acme", "new"): Used(calls=1, unpriced=1)},
    )
    known, new = models(Reads(read, None, None, None, None)).lines
    assert (known.cells[2:4], new.cells[2:4]) == ((10, 1), (None, None))
