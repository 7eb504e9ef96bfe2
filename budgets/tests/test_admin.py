"""Django's admin: every save is a change of configuration with a row of history; what happened is only shown."""

import pytest
from django.contrib.auth import get_user_model

from budgets.access.keys import make_key
from budgets.limits.edit import BudgetValues, create_budget
from budgets.limits.opening import open_budgets
from budgets.models import ApiKey, AuditEntry, Budget, Crossing, Organisation, Source, Team, Workflow
from budgets.tests.made import ACTOR
from tests.people import someone

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


def test_another_time_zone_reopens_every_budget_and_is_audited(boss):
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=5))
    open_budgets(lambda openings: [])
    form = {"name": "My company", "time_zone": "Asia/Kathmandu", "currency": "USD", "fiscal_year_starts": "1"}
    assert boss.post("/admin/budgets/organisation/1/change/", form).status_code == 302
    organisation = Organisation.get()
    assert (organisation.time_zone, organisation.name) == ("Asia/Kathmandu", "My company")
    budget.refresh_from_db()
    assert budget.opened_generation < budget.generation == organisation.generation
    entry = AuditEntry.objects.order_by("id").last()
    assert (entry.act, entry.origin, entry.who_text) == ("changed", "web", "boss")
    assert (entry.before["time_zone"], entry.after["time_zone"]) == ("UTC", "Asia/Kathmandu")
    open_budgets(lambda openings: [])
    renamed = boss.post("/admin/budgets/organisation/1/change/", form | {"name": "Acme"})
    assert renamed.status_code == 302
    budget.refresh_from_db()
    assert budget.opened_generation == budget.generation
    refused = boss.post("/admin/budgets/organisation/1/change/", form | {"time_zone": "Mars/Base"})
    assert refused.status_code == 200 and b"no time zone" in refused.content


def test_the_admin_has_no_door_of_its_own(client):
    get_user_model().objects.create_superuser("boss", password="right-and-long")
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/sign-in/?next=%2Fadmin%2F"
    right = {"username": "boss", "password": "right-and-long"}
    assert client.post("/admin/login/", right)["Location"].startswith("/sign-in/")
    assert client.get("/admin/").status_code == 302
    client.post("/sign-in/", right)
    assert client.get("/admin/").status_code == 200


def test_a_discovered_workflow_is_claimed_and_its_short_name_stays(boss):
    team = Team.objects.create(slug="growth", name="Growth")
    workflow = Workflow.objects.create(slug="seo", name="seo", status="discovered")
    before = Organisation.get().generation
    form = {
        "slug": "other", "name": "SEO briefs", "status": "draft", "team": team.pk, "value_weight": "2",
        "risk_categories": "[]", "guardrails": "{}",
    }  # fmt: skip
    answer = boss.post(f"/admin/budgets/workflow/{workflow.pk}/change/", form)
    assert answer.status_code == 302, answer.context["errors"]
    workflow.refresh_from_db()
    assert (workflow.slug, workflow.name, workflow.team, workflow.is_claimed) == ("seo", "SEO briefs", team, True)
    assert Organisation.get().generation == before + 1
    assert AuditEntry.objects.get().after["status"] == "draft"
    # Production and merging check first: not here.
    for status in ("production", "merged"):
        again = boss.post(f"/admin/budgets/workflow/{workflow.pk}/change/", form | {"status": status})
        assert again.status_code == 200 and again.context["errors"]
    chosen = {"action": "pause", "_selected_action": [workflow.pk]}
    assert boss.post("/admin/budgets/workflow/", chosen).status_code == 302
    workflow.refresh_from_db()
    assert workflow.paused_at and AuditEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "junk"), [("risk_categories", "5"), ("risk_categories", "[1]"), ("guardrails", "[1]")]
)
def test_a_workflows_free_form_fields_hold_their_own_kind_only(boss, field, junk):
    workflow = Workflow.objects.create(slug="seo", name="seo")
    form = {"name": "SEO", "status": "draft", "value_weight": "1", "risk_categories": "[]", "guardrails": "{}"}
    refused = boss.post(f"/admin/budgets/workflow/{workflow.pk}/change/", form | {field: junk})
    assert refused.status_code == 200 and refused.context["errors"]
    assert boss.post(f"/admin/budgets/workflow/{workflow.pk}/change/", form).status_code == 302


def test_teams_and_sources_are_made_and_never_deleted(boss):
    assert boss.post("/admin/budgets/team/add/", {"slug": "growth", "name": "Growth"}).status_code == 302
    assert boss.post("/admin/budgets/source/add/", {"slug": "gateway", "name": "Gateway"}).status_code == 302
    assert [(row.act, row.object_name) for row in AuditEntry.objects.order_by("id")] == [
        ("created", "Growth"),
        ("created", "gateway"),
    ]
    for path in (f"team/{Team.objects.get().pk}", f"source/{Source.objects.get().pk}"):
        assert boss.post(f"/admin/budgets/{path}/delete/", {"post": "yes"}).status_code == 403


def test_keys_are_listed_without_their_text_and_revoked_once(boss):
    key, plain = make_key("Gateway", ["ingest"])
    page = (
        boss.get("/admin/budgets/apikey/").content.decode()
        + boss.get(f"/admin/budgets/apikey/{key.pk}/change/").content.decode()
    )
    assert key.prefix in page and plain not in page and bytes(key.digest).hex() not in page
    chosen = {"action": "revoke", "_selected_action": [key.pk]}
    assert boss.post("/admin/budgets/apikey/", chosen).status_code == 302
    first = ApiKey.objects.get().revoked_at
    assert first and AuditEntry.objects.get().act == "revoked"
    boss.post("/admin/budgets/apikey/", chosen)
    assert ApiKey.objects.get().revoked_at == first and AuditEntry.objects.count() == 1


@pytest.mark.parametrize("role", ["viewer", "finance", "policy_admin"])
def test_the_admin_opens_for_administrators_only(client, role):
    key, _ = make_key("Gateway", ["ingest"])
    client.force_login(someone(role, is_staff=True))
    assert client.get("/admin/").status_code != 200
    client.post("/admin/budgets/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    assert ApiKey.objects.get().revoked_at is None


def test_history_and_alerts_are_only_shown(boss):
    budget = create_budget(ACTOR, BudgetValues(name="B", amount=5))
    alert = Crossing.objects.create(
        kind="crossed", budget=budget, period_start="2026-11-01", threshold=80, limit_version=1, spent=4, limit=5
    )
    for kind, pk in (("crossing", alert.pk), ("auditentry", AuditEntry.objects.get().pk)):
        assert boss.get(f"/admin/budgets/{kind}/").status_code == 200
        assert boss.get(f"/admin/budgets/{kind}/{pk}/change/").status_code == 200
        assert boss.get(f"/admin/budgets/{kind}/add/").status_code == 403
        assert boss.post(f"/admin/budgets/{kind}/{pk}/change/", {"threshold": 1}).status_code == 403
        assert boss.post(f"/admin/budgets/{kind}/{pk}/delete/", {"post": "yes"}).status_code == 403
    assert Budget.objects.count() == 1
