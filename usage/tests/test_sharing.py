"""What sharing out proposes: recent use, value weight, minimums; the night's turn; pages, CSV and API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from budgets.limits.calendar import day_of, day_starts_at
from budgets.models import NANO, AuditEntry, Budget, BudgetSeries, Organisation, Team, Workflow
from budgets.pools.membership import join_pool, set_sharing
from budgets.tests.made import ACTOR, a_budget, at_once, spend
from budgets.tests.test_budgets_api import client_with
from tests.people import viewer
from usage.sharing import nightly
from usage.sharing.demand import demand_of
from usage.sharing.nightly import share_nightly
from usage.sharing.proposal import propose
from usage.tests.rows import usage_row

NOW = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)


def used(budget, day, amount, hour=12, zone=UTC):
    BudgetSeries.objects.create(budget=budget, bucket=day_starts_at(day, zone) + timedelta(hours=hour), amount=amount)


def a_pool(sharing="demand", amount=1_000 * NANO, name="Marketing", nightly=False, **more):
    return set_sharing(ACTOR, a_budget(amount, name, **more), sharing, nightly)


def a_child(pool, name, amount, share=None, **more):
    return join_pool(ACTOR, pool, a_budget(amount, name, **more), share)


def after(proposal):
    return {line.budget.name: line.after for line in proposal.lines}


pytestmark = pytest.mark.django_db


def test_recent_use_is_that_of_28_complete_days_of_the_organisations_zone():
    Organisation.objects.update(time_zone="Asia/Kathmandu")
    organisation = Organisation.get()
    zone, today = organisation.zone, day_of(NOW, organisation.zone)
    budget = a_budget(1_000 * NANO, "One")
    Budget.objects.filter(pk=budget.pk).update(opened_from=NOW - timedelta(days=90))
    budget.refresh_from_db()
    used(budget, today - timedelta(days=29), 1, 0, zone)
    used(budget, today - timedelta(days=28), 10, 0, zone)
    used(budget, today - timedelta(days=1), 100, 23, zone)
    used(budget, today, 1_000, 0, zone)
    found = demand_of([budget], organisation, NOW)[budget.pk]
    assert (found.used, found.days, found.recent) == (110, 28, Fraction(110))


def test_use_of_fewer_known_days_is_taken_to_28():
    budget = a_budget(1_000 * NANO, "One", period="day")
    Budget.objects.filter(pk=budget.pk).update(opened_from=NOW - timedelta(days=5, hours=3))
    budget.refresh_from_db()
    used(budget, day_of(NOW, UTC) - timedelta(days=1), 40)
    found = demand_of([budget], Organisation.get(), NOW)[budget.pk]
    assert (found.days, found.recent) == (4, Fraction(280))
    Budget.objects.filter(pk=budget.pk).update(opened_from=NOW)
    budget.refresh_from_db()
    assert demand_of([budget], Organisation.get(), NOW)[budget.pk].claim == 0


def test_weights_are_the_workflows_or_the_teams_by_cost():
    team = Team.objects.create(slug="brand", name="Brand")
    heavy = Workflow.objects.create(slug="heavy", name="Heavy", team=team, value_weight=Decimal(4))
    light = Workflow.objects.create(slug="light", name="Light", team=team, value_weight=Decimal(1))
    old = Workflow.objects.create(slug="old", name="Old")
    budgets = [
        a_budget(NANO, "A", scope={"workflow": "light"}),
        a_budget(NANO, "B", scope={"workflow": "old"}),
        a_budget(NANO, "C", scope={"team": "brand"}),
        a_budget(NANO, "D", scope={"environment": "staging"}),
    ]
    Workflow.objects.filter(pk=old.pk).update(status="merged", merged_into=heavy)
    weights = {row.pk: row for row in budgets}
    found = demand_of(budgets, Organisation.get(), NOW)
    assert [found[pk].weight for pk in weights] == [1, 4, Fraction(5, 2), 1]
    yesterday = NOW - timedelta(days=1)
    usage_row(yesterday, 3 * NANO, workflow_id=heavy.pk, team="brand").save()
    usage_row(yesterday, 1 * NANO, workflow_id=light.pk, team="brand").save()
    found = demand_of(budgets, Organisation.get(), NOW)
    assert found[budgets[2].pk].weight == Fraction(13, 4)
    assert [found[pk].weighed for pk in weights] == ["workflow", "workflow", "team", ""]


def test_a_merged_workflow_weighs_for_its_team_as_the_one_it_counts_under():
    team = Team.objects.create(slug="brand", name="Brand")
    heavy = Workflow.objects.create(slug="heavy", name="Heavy", team=team, value_weight=Decimal(4))
    Workflow.objects.create(slug="light", name="Light", team=team, value_weight=Decimal(1))
    for slug, own in (("old", team), ("older", None)):
        Workflow.objects.create(slug=slug, name=slug, team=own, status="merged", merged_into=heavy)
    budget = a_budget(NANO, "C", scope={"team": "brand"})
    assert demand_of([budget], Organisation.get(), NOW)[budget.pk].weight == Fraction(5, 2)
    for slug, cost in {"old": 1, "older": 2, "light": 1}.items():
        row = Workflow.objects.get(slug=slug)
        usage_row(NOW - timedelta(days=1), cost * NANO, workflow_id=row.pk, team="brand").save()
    assert demand_of([budget], Organisation.get(), NOW)[budget.pk].weight == Fraction(13, 4)


def test_demand_shares_all_of_it_and_says_why():
    Workflow.objects.create(slug="seo", name="SEO", value_weight=Decimal(3))
    pool = a_pool()
    one = a_child(pool, "SEO", 100 * NANO, scope={"workflow": "seo"})
    two = a_child(pool, "Other", 100 * NANO, scope={"environment": "staging"})
    three = a_child(pool, "Quiet", 100 * NANO, Decimal("0.1"), scope={"environment": "quiet"})
    for budget in (one, two):
        used(budget, day_of(NOW, UTC) - timedelta(days=3), 50 * NANO)
    proposal = propose(pool, Organisation.get(), NOW)
    assert after(proposal) == {"SEO": 675 * NANO, "Other": 225 * NANO, "Quiet": 100 * NANO}
    assert {line.budget.name: line.why for line in proposal.lines} == {
        "SEO": "Value weight 3 times recent use.",
        "Other": "Value weight 1 times recent use.",
        "Quiet": "Its minimum, 10% of the pool.",
    }
    assert (proposal.left, proposal.short) == (0, 0)
    spend(three, 400 * NANO, NOW)
    lines = {line.budget.name: line for line in propose(pool, Organisation.get(), NOW).lines}
    assert (lines["Quiet"].after, lines["Quiet"].why) == (400 * NANO, "It has already spent this much.")
    assert lines["SEO"].after == 450 * NANO


def test_fixed_shares_leave_the_rest_and_who_has_none_keeps_its_amount():
    pool = a_pool("fixed")
    a_child(pool, "Half", 10 * NANO, Decimal("0.5"))
    a_child(pool, "Tenth", 10 * NANO, Decimal("0.1"))
    a_child(pool, "None", 30 * NANO)
    proposal = propose(pool, Organisation.get(), NOW)
    assert after(proposal) == {"Half": 500 * NANO, "Tenth": 100 * NANO, "None": 30 * NANO}
    assert proposal.left == 370 * NANO
    assert [line.why for line in proposal.lines] == [
        "Its share, 50% of the pool.", "No share is set, so it keeps what it has.", "Its share, 10% of the pool.",
    ]  # fmt: skip


def test_what_cannot_be_kept_is_said():
    pool = a_pool(amount=100 * NANO)
    one, two = a_child(pool, "One", 40 * NANO), a_child(pool, "Two", 40 * NANO)
    spend(one, 90 * NANO, NOW)
    spend(two, 60 * NANO, NOW)
    proposal = propose(pool, Organisation.get(), NOW)
    assert proposal.short == 50 * NANO
    assert after(proposal) == {"One": 60 * NANO, "Two": 40 * NANO}
    assert "already spent more than the pool has" in proposal.lines[0].why


def test_a_pool_of_nobody_and_one_too_small_say_so():
    pool = a_pool()
    assert propose(pool, Organisation.get(), NOW).problem == "No budget shares this pool yet."
    tiny = a_pool(amount=NANO // 100, name="Tiny")
    a_child(tiny, "A", NANO // 1000)
    a_child(tiny, "B", NANO // 1000)
    assert "too small" in propose(tiny, Organisation.get(), NOW).problem


def test_a_proposal_takes_a_fixed_number_of_statements(django_assert_num_queries):
    pool = a_pool(amount=10_000 * NANO)
    for n in range(12):
        a_child(pool, f"B{n}", NANO, scope={"environment": f"e{n}"})
    organisation = Organisation.get()
    with django_assert_num_queries(3):
        propose(pool, organisation, NOW)


@pytest.mark.django_db(transaction=True)
def test_the_nights_turn_is_taken_once_however_often_it_is_asked():
    now = timezone.now()
    pool = a_pool(nightly=True)
    one, two = a_child(pool, "One", 100 * NANO), a_child(pool, "Two", 100 * NANO)
    used(one, day_of(now, UTC) - timedelta(days=2), 30)
    used(two, day_of(now, UTC) - timedelta(days=2), 10)
    assert share_nightly(now) == 0  # switched on today: the first turn is tonight's
    tomorrow = now + timedelta(days=1)
    assert sorted(at_once(*[partial(share_nightly, tomorrow)] * 2)) == [0, 1]
    one.refresh_from_db()
    assert one.amount == 750 * NANO
    assert AuditEntry.objects.filter(act="shared out", origin="job").count() == 1
    used(two, day_of(now, UTC), 1_000)
    assert share_nightly(tomorrow) == 0
    assert share_nightly(tomorrow + timedelta(days=1)) == 1
    two.refresh_from_db()
    assert two.amount > 900 * NANO


@pytest.fixture
def lena():
    return User.objects.create_superuser("lena", password="x")


@pytest.fixture
def browser(lena):
    client = Client()
    client.force_login(lena)
    return client


@pytest.fixture
def looker():
    client = Client()
    client.force_login(viewer("ola"))
    return client


def test_a_pool_is_made_filled_and_shared_out_in_the_browser(browser):
    assert "No pools yet" in browser.get("/pools/").content.decode()
    answer = browser.post("/pools/new/", {"which": "new", "name": "", "amount": "lots", "metric": "money",
                                          "period": "month", "sharing": "fixed"})  # fmt: skip
    assert answer.status_code == 422
    assert "Write the amount like 1,500" in answer.content.decode()
    assert "Give the pool a name" in answer.content.decode()
    answer = browser.post("/pools/new/", {"which": "new", "name": "All", "amount": "1,000", "metric": "money",
                                          "period": "month", "sharing": "fixed"})  # fmt: skip
    assert answer.url == "/pools/all/"
    assert Budget.objects.get(slug="all").owner.username == "lena"
    a_budget(300 * NANO, "One")
    a_budget(900 * NANO, "Two")
    assert browser.post("/pools/all/add/", {"budget": "one", "share": "60"}).url == "/pools/all/"
    answer = browser.post("/pools/all/add/", {"budget": "two"})
    assert answer.status_code == 422
    assert "only $700.00 is left for this budget" in answer.content.decode()
    assert browser.post("/pools/all/add/", {"budget": "nobody"}).status_code == 422
    page = browser.get("/pools/all/").content.decode()
    assert "$300" in page
    assert "$700" in page
    preview = browser.get("/pools/all/share-out/")
    assert "$600.00" in preview.content.decode()
    seal = preview.context["seal"]
    answer = browser.post("/pools/all/share-out/", {"preview": seal, "reason": "Quarter"}, follow=True)
    assert "All is shared out: 1 budget has a new amount." in answer.content.decode()
    assert Budget.objects.get(slug="one").amount == 600 * NANO
    undo = next(str(one.extra_tags) for one in answer.context["messages"])
    assert browser.post("/pools/all/share-out/", {"preview": seal}).status_code == 409
    assert "is as it was before" in browser.post(undo, follow=True).content.decode()
    assert Budget.objects.get(slug="one").amount == 300 * NANO


def test_shares_are_set_and_refused_in_the_table(browser):
    pool = a_pool("fixed")
    one, two = a_child(pool, "One", 10 * NANO), a_child(pool, "Two", 10 * NANO)
    answer = browser.post("/pools/marketing/shares/", {f"share-{one.pk}": "half", f"share-{two.pk}": "20"})
    assert answer.status_code == 422
    assert "Write a share as a percentage" in answer.content.decode()
    answer = browser.post("/pools/marketing/shares/", {f"share-{one.pk}": "80.01", f"share-{two.pk}": "20"})
    assert answer.status_code == 422
    assert "come to 100.01 percent" in answer.content.decode()
    browser.post("/pools/marketing/shares/", {f"share-{one.pk}": "80", f"share-{two.pk}": ""})
    assert Budget.objects.get(pk=one.pk).pool_share == Decimal("0.8")
    answer = browser.post("/pools/marketing/remove/one/", follow=True)
    assert "One is out of the pool" in answer.content.decode()
    browser.post([str(said.extra_tags) for said in answer.context["messages"]][-1])
    assert Budget.objects.get(pk=one.pk).pool_share == Decimal("0.8")
    answer = browser.post("/pools/marketing/stop/", follow=True)
    assert "Budgets still share" in answer.content.decode()
    assert browser.post("/pools/marketing/sharing/", {"sharing": "no"}).status_code == 422
    browser.post("/pools/marketing/sharing/", {"sharing": "demand", "shares_nightly": "on"})
    pool.refresh_from_db()
    assert (pool.sharing, pool.shares_nightly) == ("demand", True)


def test_budgets_say_which_pool_they_are_in(browser):
    pool = a_pool("fixed")
    a_child(pool, "One", 10 * NANO, Decimal("0.125"))
    assert "its share is 12.5%" in browser.get("/budgets/one/").content.decode()
    assert "Shared among 1 budget" in browser.get("/budgets/marketing/").content.decode()
    a_budget(NANO, "Plain")
    assert "Make it a pool" in browser.get("/budgets/plain/").content.decode()


def test_who_may_not_change_budgets_sees_pools_and_changes_none(looker):
    pool = a_pool("fixed")
    a_child(pool, "One", 10 * NANO)
    page = looker.get("/pools/marketing/").content.decode()
    assert "You can look at pools" in page
    assert "Take out" not in page
    for path in ("new/", "marketing/share-out/", "marketing/add/", "marketing/shares/", "marketing/stop/"):
        assert looker.post(f"/pools/{path}").status_code == 403
    assert Client().get("/pools/").status_code == 302
    assert looker.get("/pools/one/").status_code == 404


def test_csv_says_what_the_pages_say(browser):
    pool = a_pool("fixed")
    a_child(pool, "One", 10 * NANO, Decimal("0.5"))
    rows = list(map(bytes.decode, browser.get("/export/pools.csv").streaming_content))
    assert rows[1].strip() == "Marketing,marketing,month,money,USD,1000.00,1,10.00,990.00,fixed,no"
    rows = list(map(bytes.decode, browser.get("/export/pools/marketing.csv").streaming_content))
    assert rows[1].startswith("One,one,Whole company,50,USD,10.00,")
    rows = list(map(bytes.decode, browser.get("/export/pools/marketing/share-out.csv").streaming_content))
    assert rows[1].strip().endswith('USD,10.00,500.00,"Its share, 50% of the pool."')
    assert len(list(browser.get("/export/pools.csv?q=nothing").streaming_content)) == 1


def test_pages_take_a_fixed_number_of_statements(browser, django_assert_num_queries):
    pool = a_pool(amount=100_000 * NANO)
    for n in range(3):
        a_child(pool, f"B{n}", NANO, scope={"environment": f"e{n}"})
    browser.get("/pools/marketing/")

    def counts():
        for path, most in (("/pools/", 6), ("/pools/marketing/", 12), ("/pools/marketing/share-out/", 10)):
            with django_assert_num_queries(most, exact=False) as seen:
                browser.get(path)
            yield len(seen)

    first = list(counts())
    for n in range(3, 40):
        a_child(pool, f"B{n}", NANO, scope={"environment": f"e{n}"})
        a_pool(name=f"Other {n}")
    assert list(counts()) == first


def test_pools_over_http():
    client = client_with("admin")

    def send(method, path, **body):
        return getattr(client, method)(f"/api/v1/pools{path}", body, format="json")

    for name, amount in (("All", 1_000), ("One", 100), ("Two", 950)):
        a_budget(amount * NANO, name)
    both = [{"budget": "one", "share": "0.75"}, {"budget": "two", "share": "0.25"}]
    answer = send("post", "", budget="all", sharing="fixed", budgets=both)
    assert answer.status_code == 422
    assert "only $900.00 is left" in answer.content.decode()
    assert Budget.objects.get(slug="all").sharing == ""
    assert send("post", "", budget="nobody", sharing="fixed").status_code == 422
    made = send("post", "", budget="all", sharing="fixed", budgets=both[:1])
    assert made.status_code == 201
    assert (made.json()["given_out"], made.json()["left"]) == ("100", "900")
    assert client.get("/api/v1/pools").json()["results"][0]["slug"] == "all"
    assert send("post", "/all/budgets", budget="two").status_code == 422
    preview = client.get("/api/v1/pools/all/preview").json()
    assert preview["lines"][0]["after"] == "750"
    assert send("post", "/all/apply", preview="invented").status_code == 409
    applied = send("post", "/all/apply", preview=preview["preview"], reason="Quarter")
    assert applied.json()["budgets"][0]["amount"] == "750"
    assert send("post", "/all/apply", preview=preview["preview"]).status_code == 409
    assert send("patch", "/all", shares={"one": "0.5"}, shares_nightly=True).json()["shares_nightly"] is True
    assert send("patch", "/all", shares={"two": "0.5"}).status_code == 422
    assert send("patch", "/all", edit_version=1, sharing="demand").status_code == 409
    assert client.delete("/api/v1/pools/all/budgets/one").status_code == 200
    assert client.delete("/api/v1/pools/all/budgets/one").status_code == 404
    assert send("patch", "/all", sharing="").json() == {"slug": "all", "sharing": ""}
    reader = client_with("read")
    assert reader.get("/api/v1/pools").status_code == 200
    assert reader.post("/api/v1/pools", {}, format="json").status_code == 403


def test_one_pool_that_cannot_be_shared_keeps_no_other_from_its_turn(monkeypatch):
    pools = [a_pool(name=name, nightly=True) for name in ("One", "Two")]
    a_child(pools[1], "Child", 10 * NANO)
    Budget.objects.filter(pk__in=[one.pk for one in pools]).update(shared_on=None)
    real = nightly.propose

    def failing(pool, organisation, now):
        if pool.pk == pools[0].pk:
            raise ZeroDivisionError
        return real(pool, organisation, now)

    monkeypatch.setattr(nightly, "propose", failing)
    assert share_nightly(NOW) == 1
    assert [Budget.objects.get(pk=one.pk).shared_on is None for one in pools] == [True, False]
