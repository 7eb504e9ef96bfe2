"""The list of what waits for somebody says of every request what `may_decide` says of it."""

from itertools import product

import pytest
from django.contrib.auth.models import User

from budgets.access.keys import make_key
from budgets.approvals.decide import approve
from budgets.approvals.edit_rules import RuleValues, create_rule
from budgets.approvals.rules import may_decide
from budgets.approvals.waiting import waiting_for
from budgets.audit.record import Actor
from budgets.models import ApprovalRequest, ApprovalRule
from budgets.tests.asking import ACTOR, NOW, a_person, a_request, a_team, a_workflow, an_approver, by

pytestmark = pytest.mark.django_db


def test_every_person_and_every_request():
    team, sales = a_team(), a_team("Sales")
    a_workflow(team=team, risk_categories=["public"])
    a_workflow("ads", "Ads", team=sales)
    a_workflow("unowned", "Unowned", risk_categories=["irreversible"])
    people = [
        an_approver("Lena", team),
        an_approver("Omar", team),
        an_approver("Wanda"),
        a_person("Fin", "finance"),
        a_person("Boss", "administrator"),
        a_person("Root", is_superuser=True),
        a_person("Carla", "viewer"),
        a_person("Dana", "viewer"),
        a_person("Gone", "approver", team, is_active=False),
        a_person("Owner", "budget_owner", team),
    ]
    create_rule(ACTOR, RuleValues("Carla", risk_category="public", people=("carla",)))
    create_rule(ACTOR, RuleValues("Two", risk_category="irreversible", people=("carla", "dana"), approvers_needed=2))
    create_rule(ACTOR, RuleValues("Finance", team="sales", role="finance"))
    asking = [one for one in people if one.first_name in {"Lena", "Boss", "Carla", "Owner"}]
    keys = [make_key(f"Key {one}", ["request"], created_by=one)[0] for one in asking[:3]]
    actors = [by(one) for one in asking] + [Actor(None, key.name, "api", key_id=key.pk) for key in keys]
    for actor, workflow in product(actors, ("seo-briefs", "ads", "unowned")):
        a_request(actor, workflow=workflow)
    a_request(Actor(None, "command", "command"), extra=900)
    ApprovalRequest.objects.filter(pk__in=[a_request(by(people[0])).pk]).update(rule=None)
    for row in ApprovalRequest.objects.filter(rule__name="Two", requested_text="owner"):
        approve(by(User.objects.get(username="carla")), row.pk, now=NOW)
    waiting = list(ApprovalRequest.objects.filter(state="waiting"))
    assert len(waiting) == 23
    for one in people:
        assert set(waiting_for(one)) == {row for row in waiting if may_decide(one, row)}, one
    User.objects.filter(username="carla").update(is_active=False)
    assert ApprovalRule.objects.get(name="Carla").people.filter(is_active=True).count() == 0
    for one in User.objects.all():
        assert set(waiting_for(one)) == {row for row in waiting if may_decide(one, row)}, one
