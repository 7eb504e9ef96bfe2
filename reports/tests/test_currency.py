"""Every page and file in the organisation's currency: the ledger's dollars times one rate, rounded once."""

import csv
import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db.models import Sum
from django.urls import get_resolver, reverse
from django.utils import timezone

from budgets.currency.rates import RateValues, set_rate
from budgets.models import NANO, Organisation
from budgets.organisation.edit import change_organisation
from budgets.tests.made import ACTOR
from reports.tests.rows import fill_company
from usage.costs.edit import create_costs
from usage.costs.values import CostValues
from usage.models import QuarterHour

pytestmark = pytest.mark.django_db
RATES = {"EUR": Decimal("0.92"), "JPY": Decimal("151.3")}
# Pages on which dollars are meant: forms, the price book and what the policy says by it, and what explains the API.
IN_DOLLARS = re.compile(r"new/|prices|imports|/api/|welcome|admin|rates|^/routing/")


@pytest.fixture(autouse=True)
def noon():
    """Not the first day of a month, of which there is no chart yet."""
    with time_machine.travel(datetime(2026, 11, 18, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def boss(client):
    fill_company(timezone.now())
    client.force_login(User.objects.create_superuser("boss"))
    return client


def show_in(code: str) -> Decimal:
    set_rate(ACTOR, RateValues(code, date(2026, 1, 1), RATES[code], "ECB"))
    change_organisation(ACTOR, {"currency": code})
    return RATES[code]


def month_total() -> int:
    organisation = Organisation.get()
    first = organisation.local(timezone.now()).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return int(QuarterHour.objects.filter(bucket__gte=first).aggregate(sum=Sum("cost"))["sum"] or 0)


def plain_pages() -> list[str]:
    """Every address of a page without arguments."""
    found = []

    def walk(patterns, prefix):
        for one in patterns:
            route = prefix + str(one.pattern)
            if hasattr(one, "url_patterns"):
                walk(one.url_patterns, route)
            elif "<" not in route and "(" not in route:
                found.append("/" + route)

    walk(get_resolver().url_patterns, "")
    return [one for one in found if not one.startswith(("/admin/", "/api/"))]


@pytest.mark.parametrize("code", ["EUR", "JPY"])
def test_no_page_shows_dollars_by_mistake(boss, code):
    show_in(code)
    set_rate(ACTOR, RateValues("CHF", date(2026, 1, 1), Decimal("0.9")))
    create_costs(ACTOR, [CostValues("Tax", 1000 * NANO, date(2026, 11, 1), date(2026, 11, 30), "tax", "CHF")])
    wrong, seen = {}, 0
    for path in [*plain_pages(), "/budgets/ad-copy/", "/workflows/ad-copy/"]:
        answer = boss.get(path)
        if answer.status_code != 200 or "html" not in answer["Content-Type"] or IN_DOLLARS.search(path):
            continue
        seen += 1
        words = answer.content.decode()
        if found := re.findall(r".{30}\$[0-9][0-9,.]*", words):
            wrong[path] = found[:3]
    assert seen > 10 and wrong == {}


@pytest.mark.parametrize("code", ["EUR", "JPY"])
def test_pages_say_currency_rate_and_date(boss, code):
    rate = show_in(code)
    words = {"EUR": "euros at 0.92 to the dollar, 1 Jan 2026", "JPY": "Japanese yen at 151.3 to the dollar, 1 Jan 2026"}
    for path in ("/", "/budgets/", "/budgets/ad-copy/", "/settings/costs/", "/settings/", "/workflows/", "/plan/"):
        assert words[code] in boss.get(path).content.decode(), path
    value = Decimal(month_total()) * rate / NANO
    symbol = {"EUR": "€", "JPY": "¥"}[code]
    assert f"{symbol}{value.quantize(Decimal(1), ROUND_HALF_UP):,}" in boss.get("/").content.decode()


@pytest.mark.parametrize("code", ["EUR", "JPY"])
def test_files_and_series_are_the_ledger_times_the_rate(boss, code):
    rate = show_in(code)
    lines = csv.DictReader(b"".join(boss.get("/export/spend-by-model.csv")).decode().splitlines())
    rows = list(lines)
    assert {row["currency"] for row in rows} == {code}
    exact = Decimal(month_total()) * rate / NANO
    assert abs(sum(Decimal(row["cost"] or 0) for row in rows) - exact) < Decimal("0.000001")
    series = boss.get("/series/spend-by-model.json").json()
    assert series["currency"] == code
    budget = boss.get("/series/budgets/ad-copy.json").json()
    assert budget["currency"] == code and budget["total"]["plan"] == float(6150 * rate)


def test_yen_have_no_cents_and_the_api_stays_in_dollars(boss):
    show_in("JPY")
    for path in ("/", "/budgets/", "/budgets/ad-copy/"):
        amounts = re.findall(r"¥[0-9,]+\.[0-9]+", boss.get(path).content.decode())
        assert all(len(one.partition(".")[2]) == 3 for one in amounts), path  # only what one call costs
    found = {one["slug"]: one["amount"] for one in boss.get("/api/v1/budgets").json()["results"]}
    assert found["ad-copy"] == "6150"


def test_a_form_keeps_dollars_and_says_what_they_are(boss):
    show_in("EUR")
    sent = {
        "name": "B", "covers_0": "", "metric": "money", "amount": "1,500", "period": "month", "thresholds": "80",
        "on_exhausted": "alert", "pace": "even", "carry_over": "0",
    }  # fmt: skip
    words = boss.post(reverse("budget-meaning"), sent).content.decode()
    assert "$1,500, about €1,380" in words
