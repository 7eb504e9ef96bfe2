"""The annual plan: every figure equals a slow plain sum of the ledger and the charges; editing, undo, CSV, API."""

import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from budgets.limits.edit import BudgetValues, create_budget
from budgets.models import NANO, AuditEntry, Budget, Organisation, PlanLine, Team, Workflow
from budgets.plan import edit
from budgets.plan.edit import PlanValue, StalePlan, copied, set_lines, undo_together
from budgets.plan.year import label, months_of, written_month, year_of
from budgets.tests.made import ACTOR, at_once
from budgets.tests.test_budgets_api import client_with
from tests.people import viewer
from usage.imports.kind import LineError
from usage.imports.kinds.plan import KIND
from usage.models import Import, OtherCost, QuarterHour
from usage.planning.figures import plan_year
from usage.planning.forms import written_amount
from usage.rollups.fold import fold_all
from usage.tests.events import an_event, price_the_model, take
from usage.tests.imports_made import checked, first_rows, imported, undone
from usage.tests.rows import usage_row

pytestmark = pytest.mark.django_db
NOV = date(2026, 11, 1)


@pytest.fixture
def brand():
    return Team.objects.create(slug="brand", name="Brand")


@pytest.fixture
def lena():
    return User.objects.create_superuser("lena", password="x")


@pytest.fixture
def browser(lena):
    client = Client()
    client.force_login(lena)
    return client


def planned(team=None):
    return dict(PlanLine.objects.filter(team=team).values_list("month", "amount"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York", "UTC"])
def test_every_figure_equals_a_slow_plain_sum(zone, brand):
    """Calls in each edge hour of each month's ends, across New York's clock change of 1 November."""
    Organisation.objects.update_or_create(id=1, defaults={"time_zone": zone, "fiscal_year_starts": 4})
    price_the_model()
    Workflow.objects.create(slug="seo", name="SEO", team=brand)
    now = datetime(2026, 11, 22, 12, 7, tzinfo=UTC)
    moments = [datetime(2026, month, 1, tzinfo=UTC) + timedelta(minutes=15 * n)
               for month in (10, 11) for n in range(-48, 48, 3)]  # fmt: skip
    named = [{"workflow": "seo"}, {"team": "nobodys"}, {}]
    events = [
        an_event(f"e{n}", time=when.isoformat(), input_tokens=1001 + n, **named[n % 3])
        for n, when in enumerate(moments)
    ]
    for start in range(0, len(events), 50):
        assert take(events[start : start + 50], now=now).as_dict()["accepted"] == len(events[start : start + 50])
    fold_all()
    OtherCost.objects.create(
        name="Seats", team=brand, kind="seats", amount=1, cost=100 * NANO + 7, first_day=date(2026, 10, 20),
        last_day=date(2026, 12, 3),
    )  # fmt: skip
    found = plan_year(Organisation.get(), 2026, now)
    assert found.months[0] == date(2026, 4, 1)
    slow = _slow_sums(ZoneInfo(zone), now.astimezone(ZoneInfo(zone)).date())
    assert sum(slow.values()) > 100 * NANO // 2
    shown = {(row.team, cell.month): cell.actual for row in found.rows for cell in row.cells if cell.actual}
    assert shown == slow
    assert found.total.actual == sum(slow.values())
    assert [cell.actual for cell in found.total.cells] == [
        sum(total for (_, month), total in slow.items() if month == one) for one in found.months
    ]


def _slow_sums(zone, today):
    """By team and month, one row and one day at a time, in Python."""
    sums = defaultdict(int)
    known = set(Team.objects.values_list("slug", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("SELECT posted_at, team, cost FROM usage_ledger")
        for posted_at, team, cost in cursor.fetchall():
            sums[team if team in known else "", posted_at.astimezone(zone).date().replace(day=1)] += cost or 0
    for one in OtherCost.objects.all():
        days = (one.last_day - one.first_day).days + 1
        each, rest = divmod(one.cost, days)
        for n in range(days):
            day = one.first_day + timedelta(days=n)
            if day <= today:
                sums[one.team.slug, day.replace(day=1)] += each + (1 if n < rest else 0)
    return {key: total for key, total in sums.items() if total}


def test_the_running_month_is_expected_at_an_even_pace(brand):
    now = datetime(2026, 11, 16, 0, 0, tzinfo=UTC)
    usage_row(datetime(2026, 10, 3, tzinfo=UTC), NANO, team="brand").save()
    usage_row(datetime(2026, 11, 3, tzinfo=UTC), 60 * NANO, team="brand").save()
    OtherCost.objects.create(name="S", team=brand, amount=1, cost=30 * NANO, first_day=NOV, last_day=date(2026, 11, 30))
    set_lines(ACTOR, [PlanValue(NOV, brand.pk, 140 * NANO)])
    cell = plan_year(Organisation.get(), 2026, now, "brand").rows[0].cells[10]
    assert (cell.when, cell.metered, cell.other) == ("running", 60 * NANO, 16 * NANO)
    assert cell.expected == 120 * NANO + 30 * NANO
    assert cell.over == 10 * NANO
    assert plan_year(Organisation.get(), 2027, now).total.actual == 0


def test_fiscal_years_and_months_as_people_write_them():
    assert year_of(date(2026, 3, 31), 4) == 2025
    assert months_of(2026, 11)[2] == date(2027, 1, 1)
    assert (label(2026, 1), label(2099, 4)) == ("2026", "2099/00")
    for text in ("2026-11", "2026-11-30", "11/2026", "Nov 2026", "november 2026"):
        assert written_month(text) == NOV
    for text in ("", "2026-13", "soon", "Nox 2026", "1999-01"):
        with pytest.raises(ValueError, match="like 2026-11"):
            written_month(text)
    assert (written_amount(""), written_amount("0"), written_amount("1,500.50")) == (None, 0, 1_500_500_000_000)


def test_lines_are_saved_with_history_and_taken_back_together(brand):
    set_lines(ACTOR, [PlanValue(NOV, brand.pk, NANO, "was")])
    values = [PlanValue(NOV, brand.pk, 2 * NANO), PlanValue(NOV, None, 3 * NANO, " two  words ")]
    saved = set_lines(ACTOR, values, "Because")
    assert saved.count == 2
    assert set_lines(ACTOR, values).count == 0
    rows = AuditEntry.objects.filter(object_type="budgets.planline").order_by("id")
    assert [(row.act, row.object_name) for row in rows] == [
        ("created", "November 2026, Brand"), ("created", "November 2026, no team"), ("changed", "November 2026, Brand"),
    ]  # fmt: skip
    assert (rows[2].before["amount"], rows[2].after["amount"], rows[2].reason) == (NANO, 2 * NANO, "Because")
    undone = undo_together(ACTOR, saved.together)
    assert (planned(brand), planned()) == ({NOV: NANO}, {})
    assert PlanLine.objects.get().note == "was"
    with pytest.raises(StalePlan):
        undo_together(ACTOR, saved.together)
    undo_together(ACTOR, undone.together)
    assert (planned(brand), planned()) == ({NOV: 2 * NANO}, {NOV: 3 * NANO})
    with pytest.raises(StalePlan):
        undo_together(ACTOR, "nothing")


def test_an_undo_leaves_what_was_changed_since(brand):
    saved = set_lines(ACTOR, [PlanValue(NOV, brand.pk, NANO), PlanValue(NOV, None, NANO)])
    set_lines(ACTOR, [PlanValue(NOV, None, 5 * NANO)])
    with pytest.raises(StalePlan):
        undo_together(ACTOR, saved.together)
    undone = undo_together(ACTOR, saved.together, leave_changed=True)
    assert (undone.count, undone.left, planned(brand), planned()) == (1, 1, {}, {NOV: 5 * NANO})


def test_what_the_plan_cannot_hold_is_said(brand):
    with pytest.raises(edit.InvalidPlan) as refused:
        set_lines(ACTOR, [
            PlanValue(date(2026, 11, 2), None, 1), PlanValue(NOV, None, -1), PlanValue(NOV, None, 1, "x" * 201),
        ])  # fmt: skip
    assert [(i, name) for i, name, _ in refused.value.problems] == [
        (0, "month"), (1, "amount"), (2, "note"), (2, "month"),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_who_saw_the_same_only_one_saves():
    refused = []

    def save(amount):
        try:
            set_lines(ACTOR, [PlanValue(NOV, None, amount)], seen={(NOV, None): (None, "")})
        except StalePlan as error:
            refused.append(error)

    at_once(lambda: save(1), lambda: save(2))
    assert len(refused) == 1
    assert PlanLine.objects.count() == 1


def test_a_year_is_copied_at_a_percentage_to_the_cent(brand):
    set_lines(ACTOR, [PlanValue(date(2025, 11, 1), brand.pk, 10_010_000_000), PlanValue(NOV, None, 7)])
    lines = list(PlanLine.objects.filter(month__year=2025))
    assert copied(lines, 12, Decimal(105)) == [PlanValue(NOV, brand.pk, 10_510_000_000, "")]
    assert copied(lines, 12, Decimal(105), {(NOV, brand.pk)}) == []


def test_a_team_is_planned_in_the_browser(browser, brand):
    assert "Nothing planned for 2026 yet" in browser.get("/plan/?year=2026").content.decode()
    page = browser.get("/plan/2026/teams/brand/")
    seen = page.context["form"].seen
    answer = browser.post("/plan/2026/teams/brand/", {"seen": seen, "amount-0": "lots", "amount-1": "5"})
    assert answer.status_code == 422
    assert "Write the amount like 1,500" in answer.content.decode()
    assert planned(brand) == {}
    answer = browser.post(
        "/plan/2026/teams/brand/", {"seen": seen, "amount-10": "1,500.50", "note-10": "Fair"}, follow=True
    )
    assert "Plan of Brand saved: 1 month changed." in answer.content.decode()
    assert "1,500.50" in answer.content.decode()
    assert planned(brand) == {NOV: 1_500_500_000_000}
    assert browser.post("/plan/2026/teams/brand/", {"seen": seen, "amount-10": "9"}).status_code == 409
    undo = [str(said.extra_tags) for said in answer.context["messages"]][-1]
    assert "The plan is as it was before" in browser.post(undo, follow=True).content.decode()
    assert planned(brand) == {}
    seen = browser.get("/plan/2026/no-team/").context["form"].seen
    browser.post("/plan/2026/no-team/", {"seen": seen, "total": "100"})
    assert sum(planned().values()) == 100 * NANO
    assert len(planned()) == 12
    for path in ("/plan/2026/teams/none/", "/plan/1/no-team/", "/plan/9999/no-team/", "/plan/2300/copy/"):
        assert browser.get(path).status_code == 404
    assert "is no year of the plan" in browser.get("/plan/?year=soon").content.decode()


def test_a_year_is_copied_in_the_browser(browser, brand):
    assert "There is no plan for 2025" in browser.get("/plan/2026/copy/").content.decode()
    set_lines(ACTOR, [PlanValue(date(2025, 1, 1), brand.pk, 100 * NANO), PlanValue(date(2026, 1, 1), brand.pk, NANO)])
    assert browser.post("/plan/2026/copy/", {"percent": "1e99"}).status_code == 422
    assert "Nothing had to change" in browser.post("/plan/2026/copy/", {"percent": "110"}, follow=True).content.decode()
    answer = browser.post("/plan/2026/copy/", {"percent": "110", "replace": "on"}, follow=True)
    assert "1 amount was copied from 2025" in answer.content.decode()
    assert planned(brand)[date(2026, 1, 1)] == 110 * NANO


def test_team_budgets_are_made_and_updated_from_the_plan(browser, brand):
    month = timezone.now().date().replace(day=1)
    assert "No team has a plan" in browser.get("/plan/budgets/").content.decode()
    other = Team.objects.create(slug="seo", name="SEO")
    set_lines(ACTOR, [PlanValue(month, brand.pk, 500 * NANO), PlanValue(month, other.pk, 70 * NANO),
                      PlanValue(month, None, NANO)])  # fmt: skip
    page = browser.get("/plan/budgets/")
    marks = [row.mark for row in page.context["rows"]]
    assert "Set 2 budgets" in page.content.decode()
    set_lines(ACTOR, [PlanValue(month, brand.pk, 600 * NANO)])
    answer = browser.post("/plan/budgets/", {"seen": marks})
    assert answer.status_code == 409
    assert Budget.objects.count() == 0
    browser.post("/plan/budgets/", {"seen": [row.mark for row in answer.context["rows"]]})
    assert {row.name: (row.amount, row.scope) for row in Budget.objects.all()} == {
        "Brand, monthly": (600 * NANO, {"team": "brand"}), "SEO, monthly": (70 * NANO, {"team": "seo"}),
    }  # fmt: skip
    set_lines(ACTOR, [PlanValue(month, brand.pk, 650 * NANO)])
    rows = browser.get("/plan/budgets/").context["rows"]
    assert [row.is_change for row in rows] == [True, False]
    browser.post("/plan/budgets/", {"seen": [row.mark for row in rows]})
    assert Budget.objects.get(scope={"team": "brand"}).amount == 650 * NANO
    entry = AuditEntry.objects.filter(object_type="budgets.budget").latest("id")
    assert (entry.act, entry.reason[:17]) == ("changed", "From the plan of ")


def test_team_budgets_of_the_plan_are_undone_as_one(browser, brand):
    """Those that it changed are as before, those that it made are archived."""
    month = timezone.now().date().replace(day=1)
    other = Team.objects.create(slug="seo", name="SEO")
    there = create_budget(ACTOR, BudgetValues("Brand", 300 * NANO, {"team": "brand"}))
    set_lines(ACTOR, [PlanValue(month, brand.pk, 500 * NANO), PlanValue(month, other.pk, 70 * NANO)])
    marks = [row.mark for row in browser.get("/plan/budgets/").context["rows"]]
    page = browser.post("/plan/budgets/", {"seen": marks}, follow=True).content.decode()
    assert "2 team budgets are set from the plan" in page
    undo = re.search(r"/budgets/bulk/undo/\d+/\d+/", page)
    assert undo, "the toast has an Undo"
    there.refresh_from_db()
    assert there.amount == 500 * NANO
    assert "2 budgets are as before." in browser.post(undo[0], follow=True).content.decode()
    there.refresh_from_db()
    assert (there.amount, there.status) == (300 * NANO, "active")
    assert Budget.objects.get(scope={"team": "seo"}).status == "archived"
    assert "Nothing was undone" in browser.post(undo[0], follow=True).content.decode()


def test_who_may_not_change_the_plan_sees_it(brand):
    user = viewer("ola")
    client = Client()
    client.force_login(user)
    assert "You can look at the plan" in client.get("/plan/").content.decode()
    for path in ("/plan/2026/teams/brand/", "/plan/2026/copy/", "/plan/budgets/"):
        assert client.post(path).status_code == 403
    assert client.post("/plan/undo/x/").status_code == 403
    user.memberships.create(role="finance")
    assert client.get("/plan/2026/teams/brand/").status_code == 200


def test_the_csv_has_the_pages_totals_and_comes_in_again(browser, brand):
    now = timezone.now()
    usage_row(now, 5 * NANO + 1, team="brand").save()
    usage_row(now, 2 * NANO, team="").save()
    month = now.date().replace(day=1)
    set_lines(ACTOR, [PlanValue(month, brand.pk, 1_250_000_000, "=Fair"), PlanValue(month, None, 0)])
    rows = [line.decode().strip().split(",") for line in browser.get("/export/plan.csv").streaming_content]
    named = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    table = plan_year(Organisation.get(), now.year, now)
    assert sum(Decimal(row["actual"]) for row in named) == Decimal(table.total.actual) / NANO
    assert sum(Decimal(row["amount"]) for row in named) == Decimal(table.total.plan) / NANO
    assert named[0]["note"] == "'=Fair"
    prepared = KIND.prepare(Import())
    value = KIND.read(named[0] | {"note": "Fair"}, prepared)
    assert (value.month, value.team_id, value.amount) == (month, brand.pk, 1_250_000_000)


def test_an_import_reads_writes_and_is_undone(brand, lena):
    run = Import.objects.create(kind="plan", file_name="plan.csv", file=b"", file_digest=b"", requested_by=lena)
    prepared = KIND.prepare(run)
    good = {"month": "Nov 2026", "team": "Brand", "amount": "1500.5"}
    values = [KIND.read(good, prepared), KIND.read({"month": "2026-12", "amount": "0"}, prepared)]
    for line, column in (
        (good, "month"),  # a second time
        (good | {"month": "soon"}, "month"),
        (good | {"month": "2027-01", "team": "Nobody"}, "team"),
        (good | {"month": "2027-01", "amount": "-3"}, "amount"),
        (good | {"month": "2027-01", "amount": "much"}, "amount"),
        (good | {"month": "2027-01", "currency": "EUR"}, "currency"),
        (good | {"month": "2027-01", "note": "x" * 201}, "note"),
    ):
        with pytest.raises(LineError) as refused:
            KIND.read(line, prepared)
        assert refused.value.column == column
    assert dict(KIND.summary(values))["Months"] == "Nov 2026 to Dec 2026, 2 in all"
    assert (KIND.write(ACTOR, values[:1], run).good, KIND.write(ACTOR, values[1:], run).good) == (1, 1)
    assert KIND.write(ACTOR, values, run).skipped == 2
    assert KIND.judge(values, KIND.prepare(run)) == ["there", "there"]
    assert KIND.undo(ACTOR, run) == "2 amounts are as before."
    assert PlanLine.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_exported_csv_goes_through_the_import_and_its_undo(browser, brand):
    first_rows()
    usage_row(datetime(2026, 3, 3, 12, tzinfo=UTC), NANO, team="brand").save()
    set_lines(ACTOR, [PlanValue(NOV, brand.pk, 1_250_000_000, "Fair"), PlanValue(NOV, None, 7 * NANO)])
    exported = b"".join(browser.get("/export/plan.csv?year=2026").streaming_content)
    run = checked(exported, "plan")
    assert (run.status, run.rows, run.bad, run.skipped) == ("checked", 3, 1, 2)  # March is spent, not planned
    assert run.problems.get().sentence == "Amount is missing."
    run = imported("Month,Business unit,Budget\nNov 2026,Brand,2000\nDec 2026,Brand,2100\n", "plan")
    assert (run.status, run.good) == ("done", 2)
    assert planned(brand) == {NOV: 2_000 * NANO, date(2026, 12, 1): 2_100 * NANO}
    assert undone(run).problem == "2 amounts are as before."
    assert planned(brand) == {NOV: 1_250_000_000}


def test_the_plan_over_http(brand):
    api = client_with("admin")
    lines = [
        {"month": "2026-11", "team": "brand", "amount": "12.5", "note": "Fair"},
        {"month": "2026-11", "amount": "1"},
    ]
    assert api.put("/api/v1/plan", {"lines": lines}, format="json").json() == {"changed": 2}
    found = api.get("/api/v1/plan?year=2026").json()
    assert found["planned"] == "13.5"
    assert found["lines"][0]["amount"] == "12.5"
    gone = [{"month": "2026-11", "amount": None}]
    assert api.put("/api/v1/plan", {"lines": gone}, format="json").json() == {"changed": 1}
    for wrong in ({"team": "nobody"}, {"month": "soon"}, {"amount": "-1"}, {"amount": "0.0000000001"}):
        answer = api.put("/api/v1/plan", {"lines": [lines[0] | wrong]}, format="json")
        assert answer.status_code == 422, wrong
    assert api.get("/api/v1/plan?year=soon").status_code == 422
    assert client_with("read").put("/api/v1/plan", {"lines": lines}, format="json").status_code == 403


def test_the_page_takes_a_fixed_number_of_statements(browser, brand, django_assert_num_queries):
    set_lines(ACTOR, [PlanValue(NOV, brand.pk, NANO)])
    browser.get("/plan/?year=2026")
    with django_assert_num_queries(16, exact=False) as first:
        browser.get("/plan/?year=2026")
    teams = Team.objects.bulk_create(Team(slug=f"t{n}", name=f"T{n}") for n in range(120))
    set_lines(ACTOR, [PlanValue(NOV, team.pk, NANO) for team in teams])
    QuarterHour.objects.bulk_create(
        usage_row(datetime(2026, 11, 3, tzinfo=UTC), NANO, team=f"t{n}") for n in range(120)
    )
    with django_assert_num_queries(len(first)):
        answer = browser.get("/plan/?year=2026")
    assert answer.context["table"].total.plan == 121 * NANO
    assert len(answer.context["rows"]) == 50
