"""Workflows and teams over HTTP: the same checks and history as the pages; bad input is a problem, never a 500."""

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from budgets.limits.edit import BudgetValues, create_budget
from budgets.models import AuditEntry, Team, Workflow
from budgets.tests.made import ACTOR
from tests.people import viewer

pytestmark = pytest.mark.django_db
URL = "/api/v1/workflows"


@pytest.fixture
def api():
    client = APIClient()
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


def send(api, path, body=None, method="post"):
    return getattr(api, method)(path, body or {}, format="json")


def test_a_workflow_is_made_read_and_changed(api):
    Team.objects.create(slug="growth", name="Growth")
    body = {
        "name": "SEO briefs", "team": "growth", "owner": "boss", "value_weight": "1.5", "stages": ["draft", "verify"],
        "risk_categories": ["public"], "guardrails": {"max_run_steps": 9}, "reason": "new",
    }  # fmt: skip
    made = send(api, URL, body)
    assert made.status_code == 201, made.content
    said = made.json()
    assert (said["slug"], said["status"], said["team"], said["owner"], said["value_weight"]) == (
        "seo-briefs", "draft", "growth", "boss", "1.50",
    )  # fmt: skip
    assert [one["code"] for one in said["boundaries"] if one["met"]] == ["owner", "max_run_steps"]
    changed = send(api, f"{URL}/seo-briefs", {"team": None, "guardrails": {}}, "patch").json()
    assert (changed["team"], changed["owner"], changed["guardrails"]) == (None, "boss", {})
    stale = send(api, f"{URL}/seo-briefs", {"name": "X", "edit_version": said["edit_version"]}, "patch")
    assert stale.status_code == 409 and stale.json()["edit_version"] == changed["edit_version"]
    undone = send(api, f"{URL}/seo-briefs/undo").json()
    assert undone["team"] == "growth" and undone["guardrails"] == {"max_run_steps": 9}
    assert set(AuditEntry.objects.values_list("origin", flat=True)) == {"api"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x", "guardrails": {"max_speed": 1}}, "guardrails.max_speed"),
        ({"name": "x", "guardrails": []}, "guardrails"),
        ({"name": "x", "value_weight": "9"}, "value_weight"),
        ({"name": "x", "value_weight": "NaN"}, "value_weight"),
        ({"name": "x", "team": "nowhere"}, "team"),
        ({"name": "x", "slug": "No!"}, "slug"),
        ({"name": "x", "default_tier": 10**30}, "default_tier"),
        ({"name": "x", "stages": "draft"}, "stages"),
    ],
)
def test_bad_input_is_told_by_field(api, body, field):
    refused = send(api, URL, body)
    assert refused.status_code == 422 or refused.status_code == 400
    assert field in str(refused.json())


def test_the_acts_have_their_addresses(api):
    for slug in ("stray", "other"):
        Workflow.objects.create(slug=slug, name=slug, status="discovered")
    assert send(api, f"{URL}/stray/ignore", {"reason": "test"}).json()["status"] == "ignored"
    assert send(api, f"{URL}/stray/take-back").json()["status"] == "discovered"
    refused = send(api, f"{URL}/other/merge", {"into": "stray"})
    assert refused.status_code == 409 and "Claim it first" in refused.json()["detail"]
    assert send(api, f"{URL}/stray/claim", {}).status_code in (400, 422)
    assert send(api, f"{URL}/stray/claim", {"owner": "boss"}).json()["status"] == "draft"
    merged = send(api, f"{URL}/other/merge", {"into": "stray"}).json()
    assert (merged["status"], merged["merged_into"]) == ("merged", "stray")
    assert api.get(f"{URL}/stray").json()["aliases"] == ["other"]
    assert send(api, f"{URL}/other/unmerge").json()["status"] == "discovered"
    assert send(api, f"{URL}/other/merge", {"into": "none\0"}).status_code in (400, 422)
    assert send(api, f"{URL}/other/merge", {}).status_code in (400, 422)
    missing = send(api, f"{URL}/stray/production")
    assert missing.status_code == 409
    assert missing.json()["missing"] == ["budget", "max_output_tokens", "run_amount", "max_run_steps"]
    create_budget(ACTOR, BudgetValues("All", 10**9))
    caps = {"max_output_tokens": 1, "max_run_tokens": 2, "max_run_steps": 3}
    send(api, f"{URL}/stray", {"guardrails": caps}, "patch")
    assert send(api, f"{URL}/stray/production").json()["status"] == "production"
    assert send(api, f"{URL}/stray/draft").json()["status"] == "draft"


def test_teams_are_changed_and_deleted_when_empty(api):
    growth = Team.objects.create(slug="growth", name="Growth", cost_centre="1")
    Workflow.objects.create(slug="w", name="w", team=growth)
    create_budget(ACTOR, BudgetValues("B", 10**9, {"team": "growth"}))
    changed = send(api, "/api/v1/teams/growth", {"name": "Growth and sales", "ledger_code": "64"}, "patch").json()
    assert changed == {"slug": "growth", "name": "Growth and sales", "cost_centre": "1", "ledger_code": "64"}
    assert send(api, "/api/v1/teams/growth", {"name": " "}, "patch").status_code in (400, 422)
    kept = send(api, "/api/v1/teams/growth", method="delete")
    assert kept.status_code == 409 and "1 workflow and 1 budget belong to it" in kept.json()["detail"]
    Team.objects.create(slug="gone", name="Gone")
    assert send(api, "/api/v1/teams/gone", method="delete").status_code == 204
    assert not Team.objects.filter(slug="gone").exists()
    assert api.get("/api/v1/teams/gone").status_code == 404


def test_who_may_only_look_changes_nothing(api):
    Workflow.objects.create(slug="stray", name="stray", status="discovered")
    Team.objects.create(slug="t", name="T")
    looker = APIClient()
    looker.force_login(viewer())
    assert looker.get(f"{URL}/stray").status_code == 200
    for act in ("claim", "ignore", "take-back", "merge", "unmerge", "production", "draft", "undo", "pause", "resume"):
        assert send(looker, f"{URL}/stray/{act}").status_code == 403
    assert send(looker, URL, {"name": "x"}).status_code == 403
    assert send(looker, f"{URL}/stray", {"name": "x"}, "patch").status_code == 403
    assert send(looker, "/api/v1/teams/t", method="delete").status_code == 403
    assert send(looker, "/api/v1/teams/t", {"name": "x"}, "patch").status_code == 403
