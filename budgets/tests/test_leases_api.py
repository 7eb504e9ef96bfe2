"""Leases over HTTP: what is answered, to whom."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from budgets.access import directory
from budgets.access.keys import make_key
from budgets.limits.evaluate import evaluate_due
from budgets.models import NANO, Budget, Lease, Team, Workflow
from budgets.tests.made import a_budget

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def budget():
    made = a_budget(50 * NANO, "Briefs", timezone.now(), on_exhausted="block")
    Budget.objects.filter(pk=made.pk).update(action_settings={"hard": True})
    evaluate_due()
    return made


@pytest.fixture
def key():
    return a_key("Gateway", "bundle", "read")


def a_key(name, *scopes, source="gateway", **more):
    plain = make_key(name, scopes, source=source, **more)[1]
    directory.directory().load()
    return plain


def post(key, path, sent=None, **headers):
    headers = {"authorization": f"Bearer {key}"} | headers
    return Client().post(f"/api/v1/leases{path}", json.dumps(sent or {}), "application/json", headers=headers)


def test_money_is_taken_renewed_and_given_back(budget, key):
    answer = post(key, "", {"kind": "money", "budget": "briefs", "amount": "2.50", "client": "gateway-7"})
    assert answer.status_code == 201, answer.content
    lease = answer.json()
    assert (lease["amount"], lease["remaining"], lease["reserved"]) == ("2.5", "47.5", "2.5")
    assert (lease["kind"], lease["budget"], lease["workflow"], lease["client"]) == (
        "money", "briefs", None, "gateway-7",
    )  # fmt: skip
    assert (lease["state"], lease["expires_in"], lease["used"]) == ("running", 60.0, None)
    assert lease["expires_at"].endswith("Z")
    assert len(lease["id"]) == 20
    renewed = post(key, f"/{lease['id']}/renew")
    assert renewed.status_code == 200
    assert renewed.json()["expires_at"] > lease["expires_at"]
    released = post(key, f"/{lease['id']}/release", {"used": "1.2"})
    assert (released.status_code, released.json()["state"]) == (200, "released")
    assert (released.json()["used"], released.json()["reserved"]) == ("1.2", "1.2")
    assert post(key, f"/{lease['id']}/release", {"used": "2"}).json()["used"] == "1.2"
    over = post(key, f"/{lease['id']}/renew")
    assert (over.status_code, over.json()["type"].rpartition("/")[2]) == (409, "lease-over")


def test_the_same_idempotency_key_is_the_same_lease(budget, key):
    wish = {"kind": "money", "budget": "briefs", "amount": "1"}
    first = post(key, "", wish, **{"idempotency-key": "a"})
    again = post(key, "", wish, **{"idempotency-key": "a"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    rotated = a_key("New", "bundle")
    assert post(rotated, "", wish, **{"idempotency-key": "a"}).json()["id"] == first.json()["id"]
    foreign = a_key("Other", "bundle", source="other")
    assert post(foreign, "", wish, **{"idempotency-key": "a"}).json()["id"] != first.json()["id"]
    Workflow.objects.create(slug="ads", name="Ads", guardrails={"max_requests_per_minute": 60})
    other = post(key, "", {"kind": "calls", "workflow": "ads"}, **{"idempotency-key": "a"})
    assert (other.status_code, other.json()["type"].rpartition("/")[2]) == (409, "reused-key")
    assert Lease.objects.count() == 2
    assert post(key, "", wish, **{"idempotency-key": "a" * 129}).status_code == 422


def test_counts_are_whole_numbers(key):
    limits = {"max_requests_per_minute": 60, "daily_tokens": {"staging": 5_000}}
    Workflow.objects.create(slug="ads", name="Ads", guardrails=limits)
    calls = post(key, "", {"kind": "calls", "workflow": "ads", "amount": 20}).json()
    assert (calls["amount"], calls["remaining"], calls["environment"]) == (20, 40, None)
    assert 0 < calls["expires_in"] <= 60
    tokens = post(key, "", {"kind": "tokens", "workflow": "ads", "environment": "staging"}).json()
    assert (tokens["amount"], tokens["remaining"], tokens["environment"]) == (1_000, 4_000, "staging")


def test_nothing_left_says_until_when(budget, key):
    post(key, "", {"kind": "money", "budget": "briefs", "amount": "50"})
    answer = post(key, "", {"kind": "money", "budget": "briefs"})
    assert answer.status_code == 429
    assert answer["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["type"].rpartition("/")[2], said["remaining"]) == ("all-reserved", "0")
    assert said["resets_at"].endswith("Z")
    assert 1 <= int(answer["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"kind": "money", "budget": "nobody"}, 404, "not-found"),
        ({"kind": "calls", "workflow": "nobody"}, 409, "no-lease-needed"),
        ({"kind": "tokens", "workflow": "unassigned"}, 409, "no-lease-needed"),
        ({"kind": "money"}, 422, "invalid"),
        ({"kind": "money", "budget": "briefs", "workflow": "ads"}, 422, "invalid"),
        ({"kind": "calls", "workflow": "ads", "amount": "1.5"}, 422, "invalid"),
        ({"kind": "calls", "workflow": "ads", "amount": 0}, 422, "invalid"),
        ({"kind": "money", "budget": "briefs", "amount": "-1"}, 422, "invalid"),
        ({"kind": "money", "budget": "briefs", "amount": "1e30"}, 422, "invalid"),
        ({"kind": "money", "budget": "briefs", "amount": "NaN"}, 422, "invalid"),
        ({"kind": "money", "budget": "briefs", "at_least": "Infinity"}, 422, "invalid"),
        ({"kind": "money", "budget": "a\0b"}, 422, "invalid"),
        ({"kind": "money", "budget": "briefs", "client": "x" * 129}, 422, "invalid"),
        ({"kind": "gold"}, 422, "invalid"),
        ({}, 422, "invalid"),
        ([1], 422, "invalid"),
    ],
)
def test_what_makes_no_sense_is_said(budget, key, sent, status, code):
    answer = post(key, "", sent)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, code), answer.content
    assert answer.json().get("detail") or answer.json().get("errors")


@pytest.mark.parametrize("used", [None, "-1", "x", "1e30", "0.0000000001"])
def test_release_needs_what_was_used(budget, key, used):
    lease = post(key, "", {"kind": "money", "budget": "briefs"}).json()
    assert post(key, f"/{lease['id']}/release", {"used": used} if used else {}).status_code == 422


def test_each_source_has_its_own_and_a_key_needs_the_scope(budget, key):
    lease = post(key, "", {"kind": "money", "budget": "briefs"}).json()
    foreign = a_key("Other", "bundle", source="other")
    for act in ("renew", "release"):
        assert post(foreign, f"/{lease['id']}/{act}", {"used": "0"}).status_code == 404
    sender = a_key("Sender", "ingest")
    assert post(sender, "", {"kind": "money", "budget": "briefs"}).status_code == 403
    assert post("tok_wrong", "", {"kind": "money", "budget": "briefs"}).status_code == 401
    Team.objects.create(slug="brand", name="Brand")
    limited = a_key("Limited", "bundle", teams=["brand"])
    assert post(limited, "", {"kind": "money", "budget": "briefs"}).status_code == 403


def test_the_list_has_what_reserves_something_and_on_asking_what_ended(budget, key, django_assert_num_queries):
    made = [post(key, "", {"kind": "money", "budget": "briefs", "amount": "1"}).json()["id"] for _ in range(3)]
    post(key, f"/{made[0]}/release", {"used": "0.5"})
    Lease.objects.filter(key=made[1]).update(held_until=timezone.now())

    def listed(query=""):
        return Client().get(f"/api/v1/leases{query}", headers={"authorization": f"Bearer {key}"}).json()["results"]

    assert [one["id"] for one in listed()] == [made[2], made[0]]
    assert [one["id"] for one in listed("?all=1")] == made[::-1]
    assert listed("?budget=other") == listed("?budget=%00") == []
    assert sum(float(one["reserved"]) for one in listed("?budget=briefs")) == 1.5
    with django_assert_num_queries(3):
        listed("?all=1")
