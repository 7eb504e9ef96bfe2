"""A budget that is held exactly: where it is said, and what may not be."""

from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from budgets.audit.record import Actor
from budgets.limits.bulk import BulkAct, changed
from budgets.limits.edit import BudgetValues, change_budget, create_budget, validate, values_of
from budgets.models import NANO, AuditEntry, Budget, Role
from budgets.pages.forms import form_of, read_form
from tests.people import someone

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("test")
HARD = BudgetValues("Briefs", 500 * NANO, on_exhausted="block", action_settings={"hard": True})
TYPED = {
    "name": "Briefs", "metric": "money", "amount": "500", "period": "month", "thresholds": "80", "pace": "even",
    "on_exhausted": "block", "carry_over": "0", "hard": "on",
}  # fmt: skip


def but(**values) -> BudgetValues:
    return BudgetValues(**{name: getattr(HARD, name) for name in HARD.__slots__} | values)


def test_it_is_kept_only_where_calls_are_refused():
    assert create_budget(ACTOR, HARD).is_hard
    assert but(on_exhausted="alert").tidied().action_settings == {}
    assert but(action_settings={"hard": False}).tidied().action_settings == {}
    assert validate(but(on_exhausted="alert")) == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [({"metric": "tokens"}, "Only a budget of money"), ({"action_settings": {"hard": 1}}, "Say true")],
)
def test_what_cannot_be_held_is_refused(values, said):
    assert said in validate(but(**values))["action_settings"]


def test_the_form_says_it_and_keeps_it():
    budget = create_budget(ACTOR, HARD)
    typed = form_of(budget).typed
    assert typed["hard"] == "on"
    assert read_form(typed).values.action_settings == {"hard": True}
    assert read_form(TYPED | {"hard": ""}).values.action_settings == {}
    assert read_form(TYPED | {"metric": "calls"}).values.action_settings == {}, "it is not shown there"
    assert read_form(TYPED | {"on_exhausted": "alert"}).values.action_settings == {}


def test_the_page_and_what_it_means_say_it(client):
    client.force_login(someone(Role.ADMINISTRATOR))
    client.post("/budgets/new/", TYPED | {"covers_0": ""})
    budget = Budget.objects.get()
    assert budget.is_hard
    page = client.get(f"/budgets/{budget.slug}/").content.decode()
    assert "callers reserve money before they call" in page
    assert 'name="hard" checked' in client.get(f"/budgets/{budget.slug}/edit/").content.decode()
    said = client.post("/budget-meaning/", TYPED | {"covers_0": ""}, headers={"HX-Request": "true"}).content.decode()
    assert "It is held exactly" in said


def test_by_api_and_in_the_history():
    client = APIClient()
    client.force_authenticate(someone(Role.ADMINISTRATOR))
    sent = {"name": "Briefs", "amount": "500", "on_exhausted": "block", "action_settings": {"hard": True}}
    made = client.post("/api/v1/budgets", sent, "json")
    assert (made.status_code, made.json()["action_settings"]) == (201, {"hard": True})
    at = f"/api/v1/budgets/{made.json()['slug']}"
    assert client.patch(at, {"amount": "600"}, "json").json()["action_settings"] == {"hard": True}
    assert client.patch(at, {"metric": "tokens", "amount": "600"}, "json").status_code == 422
    assert client.patch(at, {"action_settings": {"hard": "yes"}}, "json").status_code == 422
    assert client.patch(at, {"action_settings": {}}, "json").json()["action_settings"] == {}
    entry = AuditEntry.objects.filter(object_type="budgets.budget").latest("position")
    assert (entry.before["action_settings"], entry.after["action_settings"]) == ({"hard": True}, {})


def test_changing_others_with_it_does_not_lose_it():
    assert changed(BulkAct("change", on_exhausted="block"), HARD).action_settings == {"hard": True}
    assert changed(BulkAct("change", percent=Decimal(10)), HARD).action_settings == {"hard": True}
    assert changed(BulkAct("change", on_exhausted="alert"), HARD).action_settings == {}
    budget = create_budget(ACTOR, HARD)
    assert change_budget(ACTOR, budget, values_of(budget)).is_hard
