"""The pages of why spend differs: one answer on page, CSV and JSON; budgets against their plan; who sees what."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db.models import Sum

from budgets.limits.edit import BudgetValues, create_budget
from budgets.limits.evaluate import evaluate_due
from budgets.models import Budget, Organisation, Team, Workflow
from budgets.organisation.configuration import changing_configuration
from reports.tests.test_why import ALONE, DAY, LONGER, ME, is_draft
from reports.tests.why_ledger import AFTER, BEFORE, calls, changed, price_models, sent, twice
from tests.clean import forget_caches
from tests.people import someone, viewer
from usage.ledger.opening import open_due
from usage.models import LedgerEntry
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, take

pytestmark = pytest.mark.django_db
BOTH = "period=custom&from=2026-11-09&to=2026-11-10&before-from=2026-11-02&before-to=2026-11-03"
OCTOBER = datetime(2026, 10, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def company(lasting, django_db_blocker):
    """Two workflows of two teams; drafts of one have become longer and more, the other is as it was."""
    forget_caches()  # what the tests of another module left; this comes before that of each test
    with django_db_blocker.unblock(), time_machine.travel(NOW, tick=False):
        Organisation.objects.update(time_zone="UTC")
        with changing_configuration():
            price_models()
            for slug in ("growth", "brand"):
                team = Team.objects.create(slug=slug, name=slug.capitalize())
                Workflow.objects.create(
                    slug={"growth": "briefs", "brand": "ads"}[slug], name=slug, team=team, status="production"
                )
        sent(
            [*calls(BEFORE[0]), *calls(BEFORE[0], 9, workflow="ads")],
            [*changed(twice(calls(AFTER[0]), is_draft), **LONGER), *calls(AFTER[0], 9, workflow="ads")],
        )
        assert not take(calls(OCTOBER, 2), now=NOW).items
        fold_all()


@pytest.fixture
def page(company, client):
    client.force_login(viewer())
    with time_machine.travel(NOW, tick=False):
        yield client


def total(span, **more):
    found = LedgerEntry.objects.filter(posted_at__gte=span[0], posted_at__lt=span[1], **more)
    return found.aggregate(sum=Sum("cost"))["sum"] or 0


def csv_of(answer):
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_page_csv_and_data_say_the_same(page):
    difference = Decimal(total(AFTER) - total(BEFORE)) / 10**9
    html = page.get(f"/spend/why/?{BOTH}").content.decode()
    assert "longer inputs" in html
    assert "Length of input: conversation history" in html
    assert "mostly growth" in html
    assert re.search('href="[^"]*workflow=briefs[^"]*">growth alone<', html)
    rows = csv_of(page.get(f"/export/spend-why.csv?{BOTH}"))
    assert sum(Decimal(row["amount"]) for row in rows) == difference
    assert [row["part"] for row in rows] == ["context.history", "steps"]
    found = page.get(f"/series/spend-why.json?{BOTH}").json()
    figures = found["figures"]
    assert (Decimal(figures["difference"]), Decimal(figures["after"])) == (difference, Decimal(total(AFTER)) / 10**9)
    assert [part["amount"] for part in figures["parts"]] == [row["amount"] for row in rows]
    assert figures["sentence"] in html
    assert found["labels"] == ["Input: conversation history"[:24].rstrip() + "…", "Steps per run", "In all"]
    assert found["steps"][0][0] == 0
    assert found["steps"][0][1] == found["steps"][1][0]
    assert found["steps"][-1] == [0, found["steps"][1][1]]


def test_each_part_opens_what_is_behind_it(page):
    for part in page.get(f"/series/spend-why.json?{BOTH}").json()["figures"]["parts"]:
        for link in ("link", "link_before", "link_mostly"):
            said = page.get(part[link]).content.decode()
            assert "left out" not in said
            assert "All of them are listed" in said
        assert "workflow=briefs" in part["link_mostly"]


def test_what_is_no_more_is_opened_in_the_days_that_had_it(page):
    begun = "period=custom&from=2026-11-09&to=2026-11-10&before-from=2026-10-05&before-to=2026-10-06"
    ended = "period=custom&from=2026-10-05&to=2026-10-06&before-from=2026-11-09&before-to=2026-11-10"
    for query in (begun, ended):
        parts = page.get(f"/series/spend-why.json?{query}").json()["figures"]["parts"]
        (link,) = [one["link"] for one in parts if one["part"] == "workflows"]
        assert "from=2026-11-09&to=2026-11-10" in link  # it has no calls in October
        assert ">brand<" in page.get(link).content.decode()


def test_a_fixed_number_of_statements(page, django_assert_num_queries):
    page.get(f"/spend/why/?{BOTH}")
    with django_assert_num_queries(19):
        page.get(f"/spend/why/?{BOTH}&workflow=briefs&model=small")
    with django_assert_num_queries(17):
        page.get(f"/spend/why/?{BOTH}&model=small")


def test_filters_stay_and_come_off(page):
    html = page.get(f"/spend/why/?{BOTH}&workflow=ads&stage=draft").content.decode()
    assert "Exactly as much as" in html
    assert "before-from=2026-11-02" in html
    assert html.count("Remove the filter") == 2
    assert '<input type="hidden" name="stage" value="draft">' in html


@pytest.mark.parametrize("how", ["previous", "weekdays", "last-year"])
@pytest.mark.parametrize("period", ["7d", "this-month", "last-month", "quarter", "year"])
def test_every_period_against_every_other(page, period, how):
    answer = page.get(f"/series/spend-why.json?period={period}&compare={how}").json()
    figures = answer["figures"]
    assert sum(Decimal(one["amount"]) for one in figures["parts"]) == Decimal(figures["difference"])
    assert Decimal(figures["after"]) - Decimal(figures["before"]) == Decimal(figures["difference"])
    assert answer["notes"] == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("compare=zebra", "“zebra” is no comparison"),
        ("before-from=zebra", "For the days to compare with: Choose the first and the last day"),
        ("before-from=2026-11-03&before-to=2026-11-01", "turn the two days around"),
        ("period=%00", "is no period"),
        ("zebra=1", "has no filter “zebra”"),
        ("workflow=zebra", "No workflow is called “zebra”"),
        ("before-from=%00&before-to=9999-12-31", "Choose the first"),
    ],
)
def test_what_makes_no_sense_is_said(page, query, said):
    answer = page.get(f"/spend/why/?{query}")
    assert (answer.status_code, said in answer.content.decode()) == (200, True)
    assert page.get(f"/export/spend-why.csv?{query}").status_code == 200


def test_on_the_first_day_of_a_month_there_is_no_complete_day(company, client):
    with time_machine.travel(datetime(2026, 12, 1, 9, tzinfo=UTC), tick=False):
        client.force_login(viewer())
        assert "No complete day yet" in client.get("/spend/why/").content.decode()
        assert client.get("/series/spend-why.json").json()["figures"] is None
        assert csv_of(client.get("/export/spend-why.csv")) == []
        html = client.get("/spend/why/?before-from=2026-11-09&before-to=2026-11-09").content.decode()
        assert "less than" in html  # today so far, since both were chosen
        assert "No spend in either" in client.get("/spend/why/?period=last-month&model=zebra").content.decode()


def test_a_team_sees_what_its_workflows_did(company, client):
    with time_machine.travel(NOW, tick=False):
        client.force_login(someone("viewer", Team.objects.get(slug="brand")))
        figures = client.get(f"/series/spend-why.json?{BOTH}").json()["figures"]
        assert (figures["difference"], figures["parts"]) == ("0.00", [])
        assert Decimal(figures["after"]) * 10**9 == total(AFTER, workflow_id=Workflow.objects.get(slug="ads").pk)
        assert "growth" not in client.get(f"/spend/why/?{BOTH}").content.decode()


def budget_with(amount, period="month", metric="money", **scope):
    """A budget that is counted."""
    name = f"{metric} {period} {amount}"
    create_budget(ME, BudgetValues(name=name, amount=amount, scope=scope, metric=metric, period=period))
    open_due(NOW)
    evaluate_due(now=NOW)
    return Budget.objects.get(name=name)


def spent(first, last, **more):
    return total((first, last), **more)


def test_a_budget_that_is_over_is_set_against_its_limit(page):
    budget = budget_with(1_000_000, workflow="briefs")
    html = page.get(f"/budgets/{budget.slug}/why/").content.decode()
    assert "more than the limit of" in html
    rows = csv_of(page.get(f"/export/budgets/{budget.slug}/why.csv"))
    pk = Workflow.objects.get(slug="briefs").pk
    used = spent(datetime(2026, 11, 1, tzinfo=UTC), NOW, workflow_id=pk)
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal(used - 1_000_000) / 10**9
    before = spent(OCTOBER - 4 * DAY, datetime(2026, 11, 1, tzinfo=UTC), workflow_id=pk)
    assert {row["part"]: Decimal(row["amount"]) for row in rows}["plan"] == Decimal(before - 1_000_000) / 10**9
    assert {"runs", "steps", "context.history"} <= {row["part"] for row in rows}
    parts = page.get(f"/series/budgets/{budget.slug}/why.json").json()["figures"]["parts"]
    (link,) = [part["link"] for part in parts if part["part"] == "plan"]
    opened = csv_of(page.get(link.replace("/spend/calls/", "/export/spend/calls.csv")))
    assert sum(Decimal(line["cost"]) for line in opened) == Decimal(before) / 10**9
    card = page.get(f"/budgets/{budget.slug}/why/card/").content.decode()
    assert "<html" not in card
    assert "All 4 together" in card
    assert f'hx-get="/budgets/{budget.slug}/why/card/"' in page.get(f"/budgets/{budget.slug}/").content.decode()


def test_against_the_period_before_there_is_no_plan(page):
    budget = budget_with(1_000_000, workflow="briefs")
    figures = page.get(f"/series/budgets/{budget.slug}/why.json?against=before").json()["figures"]
    assert "plan" not in {part["part"] for part in figures["parts"]}
    assert Decimal(figures["after"]) - Decimal(figures["before"]) == Decimal(figures["difference"])
    assert "There is no such comparison" in page.get(f"/budgets/{budget.slug}/why/?against=zebra").content.decode()


def test_a_budget_that_is_likely_over_is_set_against_its_share_so_far(page, django_assert_num_queries):
    used = spent(datetime(2026, 11, 1, tzinfo=UTC), NOW)
    budget = budget_with(used * 11 // 10)
    html = page.get(f"/budgets/{budget.slug}/why/").content.decode()
    assert "up to 18 Nov" in html
    parts = page.get(f"/series/budgets/{budget.slug}/why.json?against=before").json()["figures"]["parts"]
    same = NOW - timedelta(days=31)  # as far into October
    assert {f"until={same:%Y-%m-%dT%H}" in one["link_before"] for one in parts if one["link_before"]} == {True}
    figures = page.get(f"/series/budgets/{budget.slug}/why.json").json()["figures"]
    gone = (NOW - datetime(2026, 11, 1, tzinfo=UTC)) / timedelta(days=30)
    assert Decimal(figures["before"]) == pytest.approx(Decimal(used * 1.1 * gone) / 10**9, rel=Decimal("0.000001"))
    assert sum(Decimal(one["amount"]) for one in figures["parts"]) == Decimal(figures["difference"])
    with django_assert_num_queries(21):
        page.get(f"/budgets/{budget.slug}/why/")


@pytest.mark.parametrize("metric", ["tokens", "calls"])
@pytest.mark.parametrize("period", ["day", "week", "quarter", "year"])
def test_budgets_of_tokens_and_calls_in_every_period(page, metric, period):
    budget = budget_with(10, period, metric)
    figures = page.get(f"/series/budgets/{budget.slug}/why.json").json()["figures"]
    assert figures["unit"] == metric
    assert (
        sum(one["amount"] for one in figures["parts"]) == figures["difference"] == figures["after"] - figures["before"]
    )
    assert page.get(f"/budgets/{budget.slug}/why/").status_code == 200
    assert page.get(f"/budgets/{budget.slug}/why/card/").status_code == 200


def test_a_budget_within_its_plan_has_no_card(page):
    budget = budget_with(10**15)
    assert "why/card" not in page.get(f"/budgets/{budget.slug}/").content.decode()
    assert "less than the plan" in page.get(f"/budgets/{budget.slug}/why/").content.decode()


def test_a_budget_that_is_not_counted_has_no_figures(page):
    Budget.objects.create(slug="new", name="New", amount=5)
    for address in ("/budgets/new/why/", "/budgets/new/why/card/"):
        assert "No figures now" in page.get(address).content.decode()
    assert page.get("/series/budgets/new/why.json").json()["figures"] is None
    assert csv_of(page.get("/export/budgets/new/why.csv")) == []
    assert page.get("/budgets/zebra/why/").status_code == 404


def test_a_team_does_not_see_the_budget_of_another(company, client):
    with time_machine.travel(NOW, tick=False):
        budget = budget_with(1_000_000, workflow="briefs")
        client.force_login(someone("viewer", Team.objects.get(slug="brand")))
        assert client.get(f"/budgets/{budget.slug}/why/").status_code == 404
        assert client.get(f"/budgets/{budget.slug}/why/card/").status_code == 404


def test_a_budget_of_a_team_names_no_workflow_that_is_not_the_teams(company, client):
    with time_machine.travel(NOW, tick=False):
        assert not take(changed(calls(AFTER[0], 30, workflow="stray-work"), team="growth"), now=NOW).items
        fold_all()
        budget = budget_with(1_000_000, team="growth")
        for who, is_named in ((viewer(), True), (someone("viewer", Team.objects.get(slug="growth")), False)):
            client.force_login(who)
            for address in ("/budgets/{}/why/", "/series/budgets/{}/why.json", "/export/budgets/{}/why.csv"):
                said = client.get(address.format(budget.slug)).getvalue().decode()
                assert ("stray-work" in said) is is_named, address


def test_every_part_is_tested_alone():
    assert {"runs", "steps", "retries", "cache", "model", "service_tier", "output", "channels"} <= ALONE.keys()
