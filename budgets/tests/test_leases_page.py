"""“Reserved now” on a hard budget's page: each gateway with what it holds, as the leases say."""

import csv
import io

import pytest
from django.test import Client
from django.utils import timezone

from budgets.leases.release import release
from budgets.leases.take import Wish, take
from budgets.limits.evaluate import evaluate_due
from budgets.models import NANO, Budget
from budgets.tests.made import a_budget, charge
from tests.people import viewer

pytestmark = pytest.mark.django_db


@pytest.fixture
def budget():
    made = a_budget(50 * NANO, "Briefs", timezone.now(), on_exhausted="block")
    Budget.objects.filter(pk=made.pk).update(action_settings={"hard": True})
    charge(made, 10 * NANO, timezone.now())
    evaluate_due()
    return made


@pytest.fixture
def client():
    opened = Client()
    opened.force_login(viewer("vera"))
    return opened


def exported(client, slug):
    return b"".join(client.get(f"/export/budgets/{slug}/reserved.csv").streaming_content).decode()


def reserve(dollars, client):
    return take(Wish("money", "briefs", amount=int(dollars * NANO), client=client)).lease


def test_each_gateway_with_what_it_holds(budget, client):
    page = client.get("/budgets/briefs/").content.decode()
    assert "Reserved now" in page
    assert "Nothing at the moment." in page
    reserve(4.5, "gateway-7")
    reserve(0.25, "gateway-7")
    given_back = reserve(20, "gateway-8")
    release(given_back, 3 * NANO)
    page = client.get("/budgets/briefs/").content.decode()
    for words in (
        "gateway-7",
        "4.75",
        "gateway-8",
        "3.00",
        "$3.00 of it waits for usage",
        "7.75",
        "$32.25 more can be",
    ):
        assert words in page, words
    rows = list(csv.DictReader(io.StringIO(exported(client, "briefs"))))
    assert [(one["gateway"], one["amount"], one["reservations"], one["waiting_for_usage"]) for one in rows] == [
        ("gateway-7", "4.75", "2", "0.00"),
        ("gateway-8", "3.00", "1", "3.00"),
    ]
    assert rows[0]["currency"] == "USD"


def test_it_says_what_can_be_taken(budget, client):
    reserve(4.5, "gateway-7")
    assert "$35.50 more can be reserved" in client.get("/budgets/briefs/").content.decode()
    assert take(Wish("money", "briefs", amount=99 * NANO)).lease.amount == int(35.5 * NANO)


def test_a_budget_that_only_blocks_has_no_such_section(client):
    a_budget(NANO, "Soft", timezone.now(), on_exhausted="block")
    assert "Reserved now" not in client.get("/budgets/soft/").content.decode()
    rows = exported(client, "soft").splitlines()
    assert len(rows) == 1


def test_more_gateways_ask_nothing_more(budget, client):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    reserve(1, "gateway-0")
    with CaptureQueriesContext(connection) as few:
        client.get("/budgets/briefs/")
    for n in range(1, 20):
        reserve(1, f"gateway-{n}")
    with CaptureQueriesContext(connection) as many:
        client.get("/budgets/briefs/")
    assert len(many) == len(few)
