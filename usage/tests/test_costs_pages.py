"""Other costs and currency rates: pages, files, imports and API."""

import csv
from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from budgets.access.keys import KeyHolder
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.currency.rates import RateValues
from budgets.models import NANO, AuditEntry, CurrencyRate, Organisation, Team
from budgets.organisation.edit import change_organisation
from budgets.tests.made import ACTOR, at_once
from tests.people import viewer
from usage.costs import edit
from usage.costs.figures import other_costs_by_team_month
from usage.costs.values import CostValues
from usage.imports.decide import begin_undo, choose, confirm
from usage.imports.kinds import all_kinds
from usage.imports.upload import take_file
from usage.imports.work import work_on
from usage.models import Import, OtherCost
from usage.rates import change

pytestmark = pytest.mark.django_db
NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))
SEATS = CostValues("Seats", 1000 * NANO, *NOVEMBER, kind="seats")
FORM = {
    "name": "Seats", "kind": "seats", "amount": "1,000", "currency": "USD", "first_day": "2026-11-01",
    "last_day": "2026-11-30", "months": "1",
}  # fmt: skip


@pytest.fixture
def boss(client):
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def api():
    client = APIClient()
    client.force_authenticate(KeyHolder(1, "robot", 1, "robot", (("robot", 1),), frozenset({"admin"}), None))
    return client


def rows_of(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(b"".join(answer).decode().splitlines()))


def test_list_totals_and_files_agree_under_every_filter(boss):
    assert "No other costs yet" in boss.get("/settings/costs/").content.decode()
    team = Team.objects.create(slug="brand", name="Brand")
    many = [
        SEATS,
        CostValues("Year", 3650 * NANO, date(2026, 1, 1), date(2026, 12, 31), team_id=team.pk, vendor="Acme"),
        CostValues("Back", -31 * NANO, date(2026, 10, 31), date(2026, 11, 30), kind="credit", reference="INV-7"),
    ]
    edit.create_costs(ACTOR, many)
    edit.remove_cost(ACTOR, edit.create_costs(ACTOR, [SEATS])[0])
    for query in ("", "?kind=seats", "?team=brand", "?q=acme", "?q=inv-7", "?period=year&kind=credit", "?period=year"):
        answer = boss.get(f"/settings/costs/{query}")
        total = answer.context["total"]
        rows = rows_of(boss.get(f"/export/costs.csv{query}"))
        months = rows_of(boss.get(f"/export/costs-by-month.csv{query}"))
        assert len(rows) == answer.context["page"].paginator.count > 0, query
        assert sum(Decimal(row["cost_in_period"]) for row in rows) * NANO == total
        assert sum(Decimal(row["cost"]) for row in months) * NANO == total
    assert "No cost matches" in boss.get("/settings/costs/?q=nothing").content.decode()
    noted = boss.get("/settings/costs/?period=ever&kind=lunch").content.decode()
    assert "“ever” is no time that this page knows; “lunch” is no kind of cost; it was ignored." in noted


def test_enter_edit_remove_and_undo_on_the_page(boss):
    page = boss.post("/settings/costs/new/", FORM, follow=True).content.decode()
    row = OtherCost.objects.get()
    assert (
        "Seats is saved: $1,000.00." in page and f"/settings/costs/undo/{newest_entry(OtherCost, row.pk).pk}/" in page
    )
    copied = boss.get(f"/settings/costs/new/?after={row.pk}").content.decode()
    assert 'value="2026-12-01"' in copied and 'value="2026-12-31"' in copied and 'value="1,000"' in copied
    boss.post(f"/settings/costs/{row.pk}/", FORM | {"amount": "20.5", "kind": "credit"})
    row.refresh_from_db()
    assert row.cost == -205 * NANO // 10
    assert "-20.50" in boss.get(f"/settings/costs/{row.pk}/").content.decode()
    boss.post(f"/settings/costs/{row.pk}/remove/")
    assert boss.get(f"/settings/costs/{row.pk}/").status_code == 404
    undone = boss.post(f"/settings/costs/undo/{newest_entry(OtherCost, row.pk).pk}/", follow=True).content.decode()
    assert "Seats is as it was before." in undone
    assert boss.post("/settings/costs/undo/999999/").status_code == 404
    assert boss.post("/settings/costs/undo/junk/").status_code == 404


def test_several_months_are_shown_before_they_are_saved_and_undone_together(boss):
    asked = boss.post("/settings/costs/new/", FORM | {"months": "3"}).content.decode()
    assert "Save 3 costs" in asked and "1–31 Dec 2026" in asked and "$3,000.00" in asked
    assert not OtherCost.objects.exists()
    done = boss.post("/settings/costs/new/", FORM | {"months": "3", "seen": "1"}, follow=True)
    assert "Saved: Seats, 3 months of $1,000.00, $3,000.00 in all." in done.content.decode()
    months = other_costs_by_team_month(date(2026, 1, 1), date(2027, 12, 31))
    assert {str(month): cost for (_, month), cost in months.items()} == {
        "2026-11-01": 1000 * NANO, "2026-12-01": 1000 * NANO, "2027-01-01": 1000 * NANO,
    }  # fmt: skip
    entries = "-".join(str(one.pk) for one in AuditEntry.objects.all())
    assert "Undone: 3 costs." in boss.post(f"/settings/costs/undo/{entries}/", follow=True).content.decode()
    assert not other_costs_by_team_month(date(2026, 1, 1), date(2027, 12, 31))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": ""}, "This field is required"),
        ({"amount": "1.000,50"}, "Write the amount like 1,500 or 1500.50, without a currency sign."),
        ({"amount": "-5"}, "Only a credit is below zero."),
        ({"amount": "9" * 39}, "more than TokenOps can count"),
        ({"currency": "EUR"}, "There is no rate for EUR on 1 Nov 2026. Add one first."),
        ({"last_day": "2026-10-01"}, "The last day is before the first."),
        ({"first_day": "0001-01-01"}, "Choose a day between 2000 and 2100."),
        ({"last_day": "9999-12-31"}, "Choose a day between 2000 and 2100."),
        ({"months": "61"}, "less than or equal to 60"),
        ({"last_day": "2026-12-31", "months": "2"}, "What repeats every month must fit into one"),
        ({"workflow": "nothing"}, "There is no workflow called “nothing”."),
        ({"name": "a\0b"}, "Null characters"),
    ],
)
def test_what_is_wrong_is_said_with_422(boss, changed, sentence):
    answer = boss.post("/settings/costs/new/", FORM | changed)
    assert answer.status_code == 422 and sentence in answer.content.decode()
    assert not OtherCost.objects.exists()


def test_those_who_may_not_change_costs_and_rates_look_at_them(client):
    edit.create_costs(ACTOR, [SEATS])
    client.force_login(viewer("kim"))
    assert b"takes the right to change other costs" in client.get("/settings/costs/").content
    assert b"takes the right to change currency rates" in client.get("/settings/rates/").content
    for path in ("/settings/costs/new/", "/settings/rates/new/", "/settings/rates/paste/", "/settings/costs/1/remove/"):
        assert client.post(path).status_code == 403, path


def test_statements_do_not_grow_with_rows(boss, django_assert_num_queries):
    team = Team.objects.create(slug="brand", name="Brand")
    edit.create_costs(ACTOR, [CostValues("One", NANO, *NOVEMBER, team_id=team.pk)])
    boss.get("/settings/costs/")
    with django_assert_num_queries(8):
        boss.get("/settings/costs/")
    edit.create_costs(ACTOR, [CostValues(f"C{n}", NANO, *NOVEMBER, team_id=team.pk) for n in range(60)])
    with django_assert_num_queries(8):
        assert boss.get("/settings/costs/").context["page"].paginator.num_pages == 2
    change.set_rate(ACTOR, RateValues("EUR", date(2026, 1, 1), Decimal("0.92")))
    with django_assert_num_queries(6):
        boss.get("/settings/rates/")
    with django_assert_num_queries(5):
        boss.get("/settings/costs/beside/")


def test_the_line_beside_metered_spend(boss):
    url = "/settings/costs/beside/?first=2026-11-01&last=2026-11-30"
    assert boss.get(url).content.strip() == b""
    team = Team.objects.create(slug="brand", name="Brand")
    edit.create_costs(ACTOR, [SEATS, CostValues("T", -10 * NANO, *NOVEMBER, kind="credit", team_id=team.pk)])
    words = boss.get(url).content.decode()
    assert "Other AI costs" in words and "$990" in words and "(seats, credit)" in words
    assert "−\u2060$10" in boss.get(f"{url}&team=brand").content.decode()
    assert boss.get(f"{url}&model=gpt").content.strip() == b""
    assert boss.get("/settings/costs/beside/?first=junk&team=a%00").status_code == 200
    closing = boss.get("/settings/close/spend/?last=2026-11-15").content.decode()
    assert "$495.00" in closing and "Metered spend" in closing
    assert boss.get("/settings/close/spend/?last=junk").status_code == 404


def test_rates_by_hand_with_undo(boss):
    assert "No rates yet" in boss.get("/settings/rates/").content.decode()
    sent = {"currency": "eur", "day": "2026-11-01", "per_dollar": "0.92", "origin": "Bank"}
    said = boss.post("/settings/rates/new/", sent, follow=True).content.decode()
    assert "One dollar is 0.92 EUR from 1 Nov 2026 on." in said
    (cost,) = edit.create_costs(ACTOR, [CostValues("S", 92 * NANO, *NOVEMBER, currency="EUR")])
    assert cost.cost == 100 * NANO
    rate = CurrencyRate.objects.get()
    told = boss.post(f"/settings/rates/{rate.pk}/", sent | {"per_dollar": "0.46"}, follow=True).content.decode()
    assert "1 other cost is converted anew." in told
    assert "is converted by this rate" in boss.post(f"/settings/rates/{rate.pk}/remove/", follow=True).content.decode()
    boss.post(f"/settings/rates/undo/{newest_entry(CurrencyRate, rate.pk).pk}/")
    cost.refresh_from_db()
    assert cost.cost == 100 * NANO
    for wrong, sentence in (
        ({"currency": "USD"}, "needs no rate"),
        ({"currency": "ZZZ"}, "is no currency"),
        ({"per_dollar": "0"}, "Enter how much of it one US dollar buys"),
        ({"per_dollar": "0.123456789"}, "at most eight digits"),
        ({"per_dollar": "1e30"}, "Enter how much"),
        ({}, "There is already a rate for EUR on 1 Nov 2026: 0.92. Edit it."),
    ):
        answer = boss.post("/settings/rates/new/", sent | wrong)
        assert answer.status_code == 422 and sentence in answer.content.decode(), wrong
    assert rows_of(boss.get("/export/rates.csv?currency=EUR")) == [
        {"day": "2026-11-01", "currency": "EUR", "rate": "0.92", "source": "Bank"}
    ]


def test_the_currency_that_pages_show_keeps_a_rate(boss):
    change.set_rate(ACTOR, RateValues("JPY", date(2026, 1, 1), Decimal("151.3")))
    change_organisation(ACTOR, {"currency": "JPY"})
    rate = CurrencyRate.objects.get()
    said = boss.post(f"/settings/rates/{rate.pk}/remove/", follow=True).content.decode()
    assert "Pages show money in JPY, and no rate for today would be left." in said
    assert CurrencyRate.objects.exists()


def run_import(key: str, text: str, **options: str) -> Import:
    actor = Actor(User.objects.create_superuser(f"{key}-importer"), "importer", "web")
    run = take_file(actor, all_kinds()[key], f"{key}.csv", [text.encode()])
    choose(actor, run.pk, run.mapping, {"decimal": "point", "order": "year", **options})
    work_on(run.pk)
    run.refresh_from_db()
    assert run.status == "checked", (run.status, run.problem)
    if run.good:
        confirm(actor, run.pk)
        work_on(run.pk)
        run.refresh_from_db()
        assert run.status == "done", run.problem
    return run


def take_back(run: Import) -> str:
    begin_undo(ACTOR, run.pk)
    work_on(run.pk)
    run.refresh_from_db()
    assert run.status == "undone"
    return run.problem


def problems(run: Import) -> list[str]:
    return [one.sentence for one in run.problems.order_by("line")]


def test_rates_from_a_file_and_taken_back():
    text = "day,currency,rate\n2026-11-01,EUR,0.92\n2026-11-01,EUR,0.93\n2026-11-02,USD,1\n2026-11-02,JPY,151.3\n"
    run = run_import("rates", text)
    assert (run.good, run.bad) == (2, 2) and "stated before in this file" in problems(run)[0]
    assert CurrencyRate.objects.count() == 2
    assert take_back(run) == "2 rates are as before." and not CurrencyRate.objects.exists()


def test_the_table_of_the_european_central_bank():
    text = "Date,USD,JPY,BGN,GBP,\n2026-11-03,1.10,165,1.9558,N/A,\n2026-11-02,1.00,150,N/A,0.86,\n"
    change.set_rate(ACTOR, RateValues("EUR", date(2026, 11, 2), Decimal("0.9")))
    run = run_import("rates", text, currencies="EUR, JPY GBP")
    found = {(row.currency, row.day.day): row.per_dollar for row in CurrencyRate.objects.all()}
    assert found == {
        ("EUR", 3): Decimal("0.90909091"), ("JPY", 3): Decimal(150), ("EUR", 2): Decimal(1), ("JPY", 2): Decimal(150),
        ("GBP", 2): Decimal("0.86"),
    }  # fmt: skip
    assert set(CurrencyRate.objects.values_list("origin", flat=True)) == {"ECB"}
    assert take_back(run) == "5 rates are as before."
    (kept,) = CurrencyRate.objects.all()
    assert (kept.currency, kept.per_dollar) == ("EUR", Decimal("0.9"))


def test_costs_from_a_file_and_taken_back():
    change.set_rate(ACTOR, RateValues("EUR", date(2026, 11, 1), Decimal("0.92")))
    Organisation.objects.update(closed_before=date(2026, 10, 1))
    text = (
        "name,kind,amount,currency,first_day,last_day\n"
        "Seats,Seats,920,EUR,2026-11-01,2026-11-30\n"
        "Back,credit,20,,2026-11-01,\n"
        "Lunch,lunch,20,,2026-11-01,\n"
        "Old,other,20,,2026-09-01,\n"
        "Early,other,20,EUR,2026-10-01,\n"
    )
    run = run_import("costs", text)
    assert (run.good, run.bad) == (2, 3)
    assert [one[:30] for one in problems(run)] == [
        "“lunch” is no kind of cost. Us", "Days before 1 Oct 2026 are clo", "There is no rate for EUR on 1 ",
    ]  # fmt: skip
    assert sorted(OtherCost.objects.values_list("cost", flat=True)) == [-20 * NANO, 1000 * NANO]
    edit.change_cost(ACTOR, OtherCost.objects.get(name="Back"), CostValues("Back", -NANO, *NOVEMBER, kind="credit"))
    assert "1 cost is removed again. 1 changed since" in take_back(run)


def test_activities_from_a_file():
    text = (
        "name,kind,first_day,last_day,start_time,end_time,repeats,factor\n"
        "Night,batch,2026-11-27,,22:00,06:00,FREQ=WEEKLY;BYDAY=FR,1.5\nBad,campaign,2026-11-27,,22:00,,,\n"
        "Worse,campaign,2026-11-27,,,,FREQ=SECONDLY,\n"
    )
    run = run_import("activities", text)
    assert (run.good, run.bad) == (1, 2)
    assert take_back(run) == "1 of them is removed again."


def test_costs_over_the_api(api):
    body = {"name": "Seats", "kind": "seats", "amount": "12.5", "first_day": "2026-11-01", "last_day": "2026-11-30"}
    made = api.post("/api/v1/other-costs", body, format="json")
    assert made.status_code == 201 and (made.json()["amount"], made.json()["cost"]) == ("12.5", "12.5")
    url = f"/api/v1/other-costs/{made.json()['id']}"
    assert api.patch(url, {"kind": "credit"}, format="json").json()["cost"] == "-12.5"
    for wrong, field in (
        ({"currency": "EUR"}, "currency"), ({"team": "none"}, "team"), ({"amount": "1e40"}, "amount"),
        ({"last_day": "2026-10-01"}, "last_day"),
    ):  # fmt: skip
        answer = api.patch(url, wrong, format="json")
        assert answer.status_code == 422 and field in answer.json()["errors"], wrong
    assert api.get("/api/v1/other-costs?period=ever").status_code == 422
    assert api.get("/api/v1/other-costs?kind=credit").json()["count"] == 1
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == api.patch(url, {}, format="json").status_code == 404
    assert AuditEntry.objects.filter(origin="api").count() == 3


def test_rates_over_the_api(api):
    """With what they convert, what they refuse, and their history."""
    body = {"currency": "eur", "day": "2026-11-01", "per_dollar": "0.50", "origin": "ECB", "reason": "Monthly"}
    made = api.post("/api/v1/currency-rates", body, format="json")
    assert made.status_code == 201
    assert (made.json()["currency"], made.json()["per_dollar"], made.json()["origin"]) == ("EUR", "0.5", "ECB")
    url = f"/api/v1/currency-rates/{made.json()['id']}"
    (cost,) = edit.create_costs(ACTOR, [CostValues("S", 100 * NANO, *NOVEMBER, currency="EUR")])
    assert api.patch(url, {"per_dollar": "0.25"}, format="json").json()["per_dollar"] == "0.25"
    assert OtherCost.objects.get(pk=cost.pk).cost == 400 * NANO
    for wrong, field in (
        ({"currency": "USD"}, "currency"), ({"currency": "XX"}, "currency"), ({"currency": "E\0R"}, "currency"),
        ({"day": "2026-13-01"}, "day"), ({"day": "1900-01-01"}, "day"), ({"per_dollar": "0"}, "per_dollar"),
        ({"per_dollar": "-1"}, "per_dollar"), ({"per_dollar": "NaN"}, "per_dollar"),
        ({"per_dollar": "1e99"}, "per_dollar"), ({"per_dollar": "0.123456789"}, "per_dollar"),
        ({"origin": "x" * 101}, "origin"),
    ):  # fmt: skip
        answer = api.post("/api/v1/currency-rates", body | {"day": "2026-10-01"} | wrong, format="json")
        assert answer.status_code == 422 and field in answer.json()["errors"], wrong
    again = api.post("/api/v1/currency-rates", body, format="json")
    assert again.status_code == 422 and "already a rate for EUR" in again.json()["errors"]["day"][0]
    api.post("/api/v1/currency-rates", body | {"currency": "GBP"}, format="json")
    assert api.get("/api/v1/currency-rates").json()["count"] == 2
    assert [one["id"] for one in api.get("/api/v1/currency-rates?currency=eur").json()["results"]] == [
        made.json()["id"]
    ]
    refused = api.delete(url)
    assert refused.status_code == 409 and "EUR" in refused.json()["detail"], "a cost needs it"
    edit.remove_cost(ACTOR, OtherCost.objects.get(pk=cost.pk))
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == api.patch(url, {}, format="json").status_code == 404
    told = AuditEntry.objects.filter(object_type="budgets.currencyrate", origin="api").order_by("position")
    assert [(one.act, one.reason) for one in told] == [
        ("created", "Monthly"), ("changed", ""), ("created", "Monthly"), ("removed", ""),
    ]  # fmt: skip


def test_rates_over_the_api_need_the_right():
    reader = APIClient()
    reader.force_authenticate(KeyHolder(1, "robot", 1, "robot", (("robot", 1),), frozenset({"read"}), None))
    person = APIClient()
    person.force_authenticate(viewer("ola"))
    rate, _ = change.set_rate(ACTOR, RateValues("EUR", date(2026, 1, 1), Decimal("0.5")))
    for client in (reader, person):
        assert client.get("/api/v1/currency-rates").json()["count"] == 1
        assert client.post("/api/v1/currency-rates", {}, format="json").status_code == 403
        assert client.patch(f"/api/v1/currency-rates/{rate.pk}", {}, format="json").status_code == 403
        assert client.delete(f"/api/v1/currency-rates/{rate.pk}").status_code == 403


def test_activities_over_the_api(api):
    body = {
        "name": "Weekly", "starts_at": "2026-11-06T00:00:00Z", "ends_at": "2026-11-07T00:00:00Z",
        "recurrence": "FREQ=WEEKLY;COUNT=3",
    }  # fmt: skip
    made = api.post("/api/v1/activities", body, format="json")
    assert made.status_code == 201 and made.json()["recurrence"] == "FREQ=WEEKLY;UNTIL=20261120"
    url = f"/api/v1/activities/{made.json()['id']}"
    found = api.get("/api/v1/activities/occurrences?first=2026-11-01&last=2026-11-30").json()
    assert [one["first"] for one in found] == ["2026-11-06", "2026-11-13", "2026-11-20"]
    assert api.patch(url, {"skipped_days": ["2026-11-13"]}, format="json").status_code == 200
    assert len(api.get("/api/v1/activities/occurrences?first=2026-11-01&last=2026-11-30").json()) == 2
    for wrong, field in (
        ({"starts_at": "2026-11-06T01:00:00Z"}, "starts_at"), ({"recurrence": "FREQ=SECONDLY"}, "recurrence"),
        ({"factor": "0.5"}, "factor"), ({"workflow": "none"}, "workflow"),
    ):  # fmt: skip
        answer = api.patch(url, wrong, format="json")
        assert answer.status_code == 422 and field in answer.json()["errors"], wrong
    assert api.get("/api/v1/activities/occurrences?first=2026-11-01&last=2046-11-30").status_code == 422
    assert api.get("/api/v1/activities?kind=campaign").json()["count"] == 1
    assert api.delete(url).status_code == 204 and api.get(url).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_rate_and_a_cost_at_once_end_at_the_same_rate():
    Organisation.objects.get_or_create(id=1)
    rate, _ = change.set_rate(ACTOR, RateValues("EUR", date(2026, 1, 1), Decimal("0.5")))
    euros = CostValues("S", 100 * NANO, *NOVEMBER, currency="EUR")
    doubled = RateValues("EUR", date(2026, 1, 1), Decimal("0.25"))
    at_once(lambda: change.set_rate(ACTOR, doubled, rate), *[lambda: edit.create_costs(ACTOR, [euros])] * 3)
    assert set(OtherCost.objects.values_list("cost", flat=True)) == {400 * NANO}
