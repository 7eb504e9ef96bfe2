"""Budgets, workflows and teams over HTTP, and the kill switch."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework.test import APIClient

from budgets.access.keys import KeyHolder
from budgets.limits.edit import create_budget, pause_budget
from budgets.limits.evaluate import evaluate_due
from budgets.limits.opening import open_budgets
from budgets.limits.values import BudgetValues
from budgets.models import NANO, AuditEntry, Budget, BudgetState, Organisation, Team, Workflow
from budgets.tests.made import ACTOR, charge
from tests.people import viewer

pytestmark = pytest.mark.django_db
URL = "/api/v1/budgets"
BODY = {"name": "Briefs", "amount": "1200.50"}


def client_with(*scopes: str) -> APIClient:
    """A client whose requests carry a key with these scopes."""
    client = APIClient()
    client.force_authenticate(KeyHolder(1, "robot", 1, "robot", (("robot", 1),), frozenset(scopes), None))
    return client


@pytest.fixture
def api() -> APIClient:
    return client_with("admin")


def opened() -> None:
    open_budgets(lambda openings: [])
    evaluate_due()


def test_a_person_changes_what_their_permissions_allow_and_the_staff_flag_is_none():
    create_budget(ACTOR, BudgetValues(name="One", amount=1))
    person = viewer("vera", is_staff=True)
    api = APIClient()
    api.force_login(person)
    urls = [f"{URL}/one/pause", "/api/v1/workflows/unassigned/pause", "/api/v1/teams", "/api/v1/prices"]
    assert api.get(URL).status_code == 200
    assert [api.post(url, {}, format="json").status_code for url in urls] == [403] * 4
    person.memberships.create(role="finance")
    assert [api.post(url, {}, format="json").status_code for url in urls] == [200, 403, 403, 422]
    assert Budget.objects.get().status == Budget.Status.PAUSED
    assert AuditEntry.objects.order_by("id").last().who_text == "vera"


def test_a_session_without_the_sites_token_changes_nothing():
    create_budget(ACTOR, BudgetValues(name="One", amount=1))
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(get_user_model().objects.create_superuser("boss"))
    answer = api.post(f"{URL}/one/pause", {}, format="json")
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")


@pytest.mark.parametrize("limit", ["1000000", "9" * 30])
def test_no_page_is_endless(api, limit):
    create_budget(ACTOR, BudgetValues(name="One", amount=1))
    answer = api.get(URL, {"limit": limit})
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == 1
    assert api.get(URL, {"offset": "9" * 30}).json()["results"] == []


def test_a_budget_is_made_listed_with_its_state_and_audited(api):
    made = api.post(URL, BODY | {"reason": "Plan 2027", "thresholds": [80, 50]}, format="json")
    assert made.status_code == 201, made.json()
    assert made.json() | {"created_at": "", "updated_at": ""} == {
        "slug": "briefs",
        "name": "Briefs",
        "status": "active",
        "scope": {},
        "metric": "money",
        "amount": "1200.5",
        "period": "month",
        "starts_on": None,
        "ends_on": None,
        "carry_over": "0.000",
        "thresholds": [50, 80],
        "on_exhausted": "alert",
        "action_settings": {},
        "pace": "even",
        "owner": None,
        "edit_version": 1,
        "created_at": "",
        "updated_at": "",
        "state": None,
    }
    budget = Budget.objects.get()
    assert budget.amount == 1_200_500_000_000
    assert (AuditEntry.objects.get().who_text, AuditEntry.objects.get().reason) == ("key robot", "Plan 2027")
    opened()
    charge(budget, 960_400_000_001, timezone.now())
    evaluate_due()
    state = api.get(URL).json()["results"][0]["state"]
    assert (state["spent"], state["limit"], state["remaining"]) == ("960.400000001", "1200.5", "240.099999999")
    assert (state["crossed"], state["status"], state["remaining_twentieths"]) == (80, "warning", 3)
    assert api.get(f"{URL}/briefs").json()["state"] == state


def test_the_list_takes_the_same_statements_for_any_number(api, django_assert_num_queries):
    for n in range(2):
        create_budget(ACTOR, BudgetValues(name=f"B{n}", amount=5))
    opened()
    with django_assert_num_queries(3):
        assert api.get(URL).json()["count"] == 2
    for n in range(10):
        create_budget(ACTOR, BudgetValues(name=f"C{n}", amount=5))
    opened()
    with django_assert_num_queries(3):
        assert api.get(URL).json()["count"] == 12


def test_keys_need_their_scope(api):
    create_budget(ACTOR, BudgetValues(name="B", amount=5))
    reader, sender = client_with("read"), client_with("ingest", "bundle")
    assert APIClient().get(URL).status_code == 401
    assert sender.get(URL).status_code == 403
    assert reader.get(URL).status_code == 200
    for path in (URL, f"{URL}/b/pause", f"{URL}/b/undo", "/api/v1/teams", "/api/v1/workflows/unassigned/pause"):
        refused = reader.post(path, {}, format="json")
        assert refused.status_code == 403 and refused["Content-Type"] == "application/problem+json"
    assert reader.patch(f"{URL}/b", {"amount": 1}, format="json").status_code == 403
    assert Budget.objects.get().edit_version == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1E+25"}, "amount"),
        ({"amount": "0.0000000001"}, "amount"),
        ({"amount": 10**12}, "amount"),
        ({"amount": "1.5", "metric": "calls"}, "amount"),
        ({"name": "\0"}, "name"),
        ({"slug": "no slug"}, "slug"),
        ({"scope": {"planet": "mars"}}, "scope"),
        ({"scope": {"team": "nobody"}}, "scope"),
        ({"scope": []}, "scope"),
        ({"scope": {"user": "a\0"}}, "scope"),
        ({"scope": {"\0": "a"}}, "scope"),
        ({"thresholds": []}, "thresholds"),
        ({"thresholds": [10**30]}, "thresholds"),
        ({"carry_over": "2"}, "carry_over"),
        ({"period": "fixed", "starts_on": "2026-02-30"}, "starts_on"),
        ({"period": "fixed", "starts_on": "0001-01-01", "ends_on": "9999-12-31"}, "starts_on"),
        ({"on_exhausted": "throttle"}, "action_settings"),
        ({"owner": "nobody"}, "owner"),
    ],
)
def test_what_is_not_valid_is_a_problem_with_a_sentence_for_its_field(api, change, field):
    answer = api.post(URL, BODY | change, format="json")
    assert answer.status_code == 422 and answer["Content-Type"] == "application/problem+json"
    assert field in answer.json()["errors"]
    assert not Budget.objects.exists()


@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b'"text"', b"{", b""])
def test_a_body_that_is_no_object_is_a_clear_refusal(api, body):
    assert 400 <= api.post(URL, body, content_type="application/json").status_code < 500


def test_only_what_is_sent_changes_and_never_over_another_edit(api):
    get_user_model().objects.create_user("ada")
    api.post(URL, BODY | {"metric": "tokens", "amount": 5000, "thresholds": [70]}, format="json")
    changed = api.patch(f"{URL}/briefs", {"owner": "ada", "edit_version": 1, "reason": "Hers"}, format="json")
    assert changed.status_code == 200
    assert (changed.json()["owner"], changed.json()["amount"], changed.json()["edit_version"]) == ("ada", "5000", 2)
    stale = api.patch(f"{URL}/briefs", {"amount": 1, "edit_version": 1}, format="json")
    assert stale.status_code == 409 and stale.json()["edit_version"] == 2
    assert stale.json()["type"].endswith("/changed-meanwhile")
    both = api.patch(f"{URL}/briefs", {"metric": "money"}, format="json")
    assert both.status_code == 422 and "amount" in both.json()["errors"]
    assert api.patch(f"{URL}/briefs", {"metric": "money", "amount": "2"}, format="json").json()["amount"] == "2"
    assert Budget.objects.get().amount == 2 * NANO
    assert api.patch(f"{URL}/nothing", {}, format="json").status_code == 404
    assert api.get(f"{URL}/a%00b").status_code == 404


def test_pause_resume_archive_and_undo(api):
    api.post(URL, BODY, format="json")
    for act, status in (("pause", "paused"), ("resume", "active"), ("archive", "archived")):
        answer = api.post(f"{URL}/briefs/{act}", {"reason": act}, format="json")
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert api.get(URL).json()["count"] == 0
    assert api.get(f"{URL}?status=archived").json()["count"] == 1
    assert api.get(f"{URL}?status=lost").status_code == 422
    refused = api.post(f"{URL}/briefs/resume", {}, format="json")
    assert refused.status_code == 409 and "archived" in refused.json()["detail"]
    assert api.post(f"{URL}/briefs/undo").json()["status"] == "active"
    assert api.post(f"{URL}/briefs/pause", {"edit_version": 1}, format="json").status_code == 409


def test_delete_archives_and_restore_brings_back(api):
    api.post(URL, BODY, format="json")
    assert api.delete(f"{URL}/briefs").status_code == 204
    assert Budget.objects.get().status == "archived"
    assert api.post(f"{URL}/briefs/restore", {"reason": "Again"}, format="json").json()["status"] == "active"
    assert [row.act for row in AuditEntry.objects.order_by("position")] == ["created", "archived", "restored"]
    assert client_with("read").delete(f"{URL}/briefs").status_code == 403


def test_several_are_tried_changed_and_taken_back(api):
    for name in ("One", "Two"):
        api.post(URL, BODY | {"name": name}, format="json")
    api.delete(f"{URL}/two")
    body = {"act": "change", "budgets": [{"slug": "one", "edit_version": 1}, {"slug": "two"}], "percent": "10"}
    tried = api.post(f"{URL}/bulk", body | {"dry_run": True}, format="json").json()
    assert (tried["changed"], tried["undo"]) == (1, None)
    one, two = tried["lines"]
    assert (one["before"]["amount"], one["after"]["amount"], one["problem"]) == ("1200.5", "1320.55", "")
    assert two["problem"] == "It is archived. Restore it first."
    assert Budget.objects.get(slug="one").amount == 1_200_500_000_000
    done = api.post(f"{URL}/bulk", body | {"reason": "Season"}, format="json").json()
    assert done["changed"] == 1 and Budget.objects.get(slug="one").amount == 1_320_550_000_000
    assert api.post(f"{URL}/bulk", body, format="json").status_code == 409
    assert api.post(f"{URL}/bulk/undo", done["undo"], format="json").json() == ["one"]
    assert api.post(f"{URL}/bulk/undo", done["undo"], format="json").status_code == 409
    assert Budget.objects.get(slug="one").amount == 1_200_500_000_000
    assert client_with("read").post(f"{URL}/bulk", body, format="json").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"act": "explode", "budgets": [{"slug": "one"}]},
        {"act": "pause", "budgets": []},
        {"act": "pause", "budgets": [{"slug": "nothing"}]},
        {"act": "change", "budgets": [{"slug": "one"}]},
        {"act": "change", "budgets": [{"slug": "one"}], "percent": "NaN"},
        {"act": "change", "budgets": [{"slug": "one"}], "owner": "nobody"},
        {"act": "pause", "budgets": [{"slug": "a\0"}]},
    ],
)
def test_bulk_acts_that_make_no_sense_are_problems(api, body):
    api.post(URL, BODY | {"name": "One"}, format="json")
    answer = api.post(f"{URL}/bulk", body, format="json")
    assert answer.status_code == 422 and answer["Content-Type"] == "application/problem+json"


def test_a_short_name_that_is_an_address_is_refused(api):
    assert api.post(URL, BODY | {"slug": "bulk"}, format="json").status_code == 422
    assert api.post(URL, BODY | {"name": "New"}, format="json").json()["slug"] == "new-budget"


def test_a_workflow_is_paused_at_once_and_once(api):
    Workflow.objects.create(slug="seo", name="SEO", team=Team.objects.create(slug="growth", name="Growth"))
    before = Organisation.get()
    paused = api.post("/api/v1/workflows/seo/pause", {"reason": "Looping"}, format="json").json()
    assert (paused["is_paused"], paused["pause_reason"], paused["team"]) == (True, "Looping", "growth")
    after = Organisation.get()
    assert after.generation > before.generation and after.state_version == before.state_version + 1
    again = api.post("/api/v1/workflows/seo/pause", {"reason": "Again"}, format="json").json()
    assert again == paused and AuditEntry.objects.count() == 1
    assert api.post("/api/v1/workflows/seo/resume").json()["is_paused"] is False
    assert [row.act for row in AuditEntry.objects.order_by("id")] == ["paused", "resumed"]
    assert api.post("/api/v1/workflows/none/pause").status_code == 404
    listed = api.get("/api/v1/workflows").json()["results"]
    assert [row["slug"] for row in listed] == ["seo", "unassigned"]
    assert [row["slug"] for row in api.get("/api/v1/workflows?status=reserved").json()["results"]] == ["unassigned"]


def test_teams_are_made_once(api):
    made = api.post("/api/v1/teams", {"name": "Growth & Web", "cost_centre": "4711"}, format="json")
    assert made.status_code == 201 and made.json()["slug"] == "growth-web"
    again = api.post("/api/v1/teams", {"name": "Growth Web"}, format="json")
    assert again.status_code == 422 and "already" in again.json()["errors"]["slug"][0]
    assert api.post("/api/v1/teams", {"name": "日本"}, format="json").status_code == 422
    assert api.get("/api/v1/teams").json()["count"] == 1
    assert AuditEntry.objects.get().object_type == "budgets.team"


def test_a_paused_budget_shows_its_state(api):
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=5))
    opened()
    pause_budget(ACTOR, budget)
    assert api.get(f"{URL}/b").json()["state"]["status"] == BudgetState.Status.UNDER
    assert Decimal(api.get(f"{URL}/b").json()["amount"]) == Decimal(5) / NANO
