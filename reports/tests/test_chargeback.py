"""Statements: cents that add up, corrections of closed months in lines of their own, each team its own."""

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from budgets.audit.record import Actor
from budgets.models import CurrencyRate, Organisation, Team, Workflow
from budgets.organisation.closing import books_of
from budgets.organisation.configuration import changing_configuration
from budgets.organisation.edit import close_days, open_days
from reports.chargeback.reading import statements
from reports.chargeback.statement import Line, Statement, booked, charged
from reports.tests.repriced import price_later
from usage.costs.edit import create_costs
from usage.costs.values import CostValues
from usage.rollups.fold import fold_all
from usage.tests.events import an_event, price_the_model, take

pytestmark = pytest.mark.django_db
LATER = datetime(2026, 11, 18, 12, tzinfo=UTC)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
CENT = Decimal("0.01")


@given(st.lists(st.decimals(-1000, 1000, places=9), max_size=30))
def test_cents_sum_to_the_rounded_sum_and_are_never_a_cent_off(amounts):
    found = booked(amounts, CENT)
    assert sum(found, Decimal(0)) == booked([sum(amounts, Decimal(0))], CENT)[0]
    assert all(abs(one - exact) < CENT for one, exact in zip(found, amounts, strict=True))


def test_thirds_of_a_cent():
    assert booked([Decimal("0.00333")] * 3, CENT) == (CENT, Decimal("0.00"), Decimal("0.00"))
    assert booked([Decimal("0.005")], CENT) == (CENT,)
    assert booked([], CENT) == ()


@pytest.fixture
def company(db):
    """October closed; what came late for it counts in November."""
    price_the_model()
    with changing_configuration():
        growth = Team.objects.create(slug="growth", name="Growth", cost_centre="CC-7", ledger_code="6400")
        Team.objects.create(slug="brand", name="Brand")
        Workflow.objects.create(slug="briefs", name="Briefs", team=growth, status="production", ledger_code="6401")
    take(
        [
            an_event("oct", time="2026-10-20T10:00:00Z", workflow="briefs"),
            an_event("nov", time="2026-11-10T10:00:00Z", workflow="briefs", input_tokens=333_333),
            an_event("free", time="2026-11-10T10:00:00Z", workflow="briefs", model="nobody-knows"),
            an_event("lost", time="2026-11-10T10:00:00Z"),
        ],
        now=LATER,
    )
    values = CostValues("Seats", 30 * 10**9, NOVEMBER, date(2026, 11, 30), "seats", team_id=growth.pk)
    create_costs(Actor.command("test"), [values])
    close_days(Actor.command("test"), NOVEMBER, "done")
    take([an_event("late", time="2026-10-21T10:00:00Z", workflow="briefs", input_tokens=5_000_000)], now=LATER)
    fold_all()


def statements_of(month, who):
    return statements(Organisation.get(), books_of(Organisation.get(), month), who)


def kinds(statement):
    return [(line.kind, line.name, line.model, line.calls, line.cost, line.of) for line in statement.lines]


@time_machine.travel(LATER, tick=False)
def test_lines_of_a_month_with_its_corrections(company):
    boss = User.objects.create_superuser("lena")
    brand, growth, nobody = statements_of(NOVEMBER, boss)
    assert kinds(growth) == [
        ("metered", "Briefs", "test-model", 1, 667_666_000, None),
        ("metered", "Briefs", "nobody-knows", 1, 0, None),
        ("other", "Seats", "", 0, 30 * 10**9, None),
        ("correction", "Briefs", "test-model", 1, 10_001_000_000, OCTOBER),
    ]
    assert (charged(growth.lines).cost, growth.unpriced) == (40_668_666_000, 1)
    assert {line.ledger_code for line in growth.lines} == {"6400", "6401"}
    assert kinds(nobody)[0][3:5] == (1, 3_000_000)
    assert brand.lines == ()
    (_, october, _) = statements_of(OCTOBER, boss)
    assert kinds(october) == [("metered", "Briefs", "test-model", 1, 3_000_000, None)]


@time_machine.travel(LATER, tick=False)
def test_pages_and_csv_say_the_same(company, client, django_assert_max_num_queries):
    client.force_login(User.objects.create_superuser("lena"))
    with django_assert_max_num_queries(16):
        page = client.get(reverse("chargeback"), {"month": "2026-11"}).content.decode()
    assert "$40.67" in page
    assert "Still running" in page
    assert "1 call without a price" in page
    one = client.get(reverse("chargeback-statement", args=[NOVEMBER, "growth"])).content.decode()
    assert "of Oct 2026" in one
    assert "no price yet" in one
    assert '<td class="n">40.67</td>' in one
    answer = client.get(reverse("chargeback-csv"), {"month": "2026-11", "team": "growth"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert sum(Decimal(row["booked"] or 0) for row in rows) == Decimal("40.67")
    assert sum(Decimal(row["amount"] or 0) for row in rows) == Decimal("40.668666")
    assert [(row["amount"], row["booked"]) for row in rows if row["model"] == "nobody-knows"] == [("", "")]
    assert [row["of_month"] for row in rows] == ["", "", "", "2026-10"]
    assert client.get(reverse("chargeback-statement", args=[OCTOBER, "brand"])).status_code == 200
    assert "Closed." in client.get(reverse("chargeback"), {"month": "2026-10"}).content.decode()


@time_machine.travel(LATER, tick=False)
def test_a_team_of_which_nothing_has_a_price_is_not_charged_0(company, client):
    with changing_configuration():
        Workflow.objects.create(slug="ads", name="Ads", team=Team.objects.get(slug="brand"), status="production")
    take([an_event("x", time="2026-11-10T10:00:00Z", workflow="ads", model="nobody-knows")], now=LATER)
    fold_all()
    client.force_login(User.objects.create_superuser("lena"))
    page = client.get(reverse("chargeback"), {"month": "2026-11"}).content.decode()
    row = page.partition("/brand/")[2].partition("</tr>")[0]
    assert re.findall(r'data-label="([^"]+)">(?:<b>)?([^<]+)', row) == [
        ("Metered use", "no price yet"), ("Other AI costs", "$0.00"), ("For closed months", "$0.00"),
        ("Total", "no price yet"),
    ]  # fmt: skip
    one = client.get(reverse("chargeback-statement", args=[NOVEMBER, "brand"])).content.decode()
    assert "<h2>No price yet</h2>" in one and "0.00" not in one


@time_machine.travel(LATER, tick=False)
def test_a_price_for_closed_days_hides_no_call_of_the_month_that_has_none(company):
    take([an_event("dear", time="2026-10-22T10:00:00Z", workflow="briefs", model="late-model")], now=LATER)
    fold_all()
    close_days(Actor.command("test"), date(2026, 11, 18), "done")
    price_later("late-model")
    (_, growth, _) = statements_of(NOVEMBER, User.objects.create_superuser("lena"))
    assert {line.model: line.unpriced for line in growth.lines if line.unpriced} == {"nobody-knows": 1}
    assert growth.unpriced == 1


def test_what_was_unpriced_in_another_month_takes_nothing_away():
    lines = [
        Line("metered", "", "", "", "a", "", "", 1, 1, 3, 0),
        Line("correction", "", "", "", "b", "", "", 0, 0, -2, 5),
    ]
    assert Statement("", "", NOVEMBER, tuple(lines)).unpriced == 3


@time_machine.travel(LATER, tick=False)
def test_a_month_keeps_the_rate_of_its_last_day(company, client):
    for day, rate in (("2026-10-01", "0.5"), ("2026-11-10", "2")):
        CurrencyRate.objects.create(currency="EUR", day=day, per_dollar=Decimal(rate))
    Organisation.objects.update(currency="EUR")
    open_days(Actor.command("test"), None, "In euros")
    close_days(Actor.command("test"), NOVEMBER, "done")
    client.force_login(User.objects.create_superuser("lena"))
    for month, sums in (("2026-10", Decimal("0.0015")), ("2026-11", Decimal("81.337332"))):
        answer = client.get(reverse("chargeback-csv"), {"month": month, "team": "growth"})
        rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
        assert sum(Decimal(row["amount"] or 0) for row in rows) == sums
        assert {row["currency"] for row in rows} == {"EUR"}
    one = client.get(reverse("chargeback-statement", args=[OCTOBER, "growth"])).content.decode()
    assert "euros at 0.5 to the dollar" in one
    assert "euros at 0.5 to the dollar" in client.get(reverse("chargeback"), {"month": "2026-10"}).content.decode()


@time_machine.travel(LATER, tick=False)
def test_an_old_month_stays_chosen_and_says_what_is_not_kept(company, client):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO usage_detached_month (month, row_count) VALUES ('2026-10-01', 5)")
    client.force_login(User.objects.create_superuser("lena"))
    page = client.get(reverse("chargeback"), {"month": "2020-02"}).content.decode()
    assert '<option value="2020-02" selected>Feb 2020</option>' in page
    for month, gone in ((OCTOBER, True), (NOVEMBER, False)):
        for one in (
            client.get(reverse("chargeback"), {"month": f"{month:%Y-%m}"}),
            client.get(reverse("chargeback-statement", args=[month, "growth"])),
        ):
            assert ("are not kept any more" in one.content.decode()) is gone


@time_machine.travel(LATER, tick=False)
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("zebra", "“zebra” is no month"),
        ("2027-01", "has not begun"),
        ("%00", "is no month"),
        ("0000-13", "is no month"),
    ],
)
def test_a_month_that_is_none(company, client, query, said):
    client.force_login(User.objects.create_superuser("lena"))
    answer = client.get(f"{reverse('chargeback')}?month={query}")
    assert (answer.status_code, said in answer.content.decode()) == (200, True)


@time_machine.travel(LATER, tick=False)
def test_nothing_there(client, db):
    client.force_login(User.objects.create_superuser("lena"))
    assert "Nothing to charge in Oct 2026" in client.get(reverse("chargeback")).content.decode()
    for team in ("zebra", "growth"):
        assert client.get(reverse("chargeback-statement", args=[OCTOBER, team])).status_code == 404
    assert client.get("/settings/chargeback/2027-01/-/").status_code == 404
    assert client.get("/settings/chargeback/1900-01/-/").status_code == 404
