"""Asking: what is checked and said, who is asked first, and one request for one idempotency key."""

from datetime import datetime, timedelta

import pytest

from budgets.access.keys import make_key
from budgets.approvals import tiers
from budgets.approvals.facts import Asked, Facts
from budgets.approvals.open import InvalidRequest, ReusedKey, open_request
from budgets.approvals.rules import lack_of_deciders
from budgets.audit.record import Actor
from budgets.limits.edit import archive_budget
from budgets.models import ApprovalRequest, ApprovalRule, AuditEntry, Budget, Workflow
from budgets.tests.asking import (
    HOUR,
    NOW,
    a_person,
    a_request,
    a_team,
    a_workflow,
    an_approver,
    by,
    dollars,
    premium,
    told,
)
from budgets.tests.made import ACTOR, a_budget

pytestmark = pytest.mark.django_db


@pytest.fixture
def workflow():
    return a_workflow(team=a_team(), risk_categories=["public"])


@pytest.fixture
def kim(workflow):
    return a_person("Kim", "budget_owner", workflow.team)


def problems_of(asked: Asked, actor: Actor = ACTOR, now: datetime = NOW) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as raised:
        open_request(actor, asked, Facts(), now)
    assert ApprovalRequest.objects.count() == 0
    return raised.value.problems


def bigger(**values) -> Asked:
    return Asked(**{"kind": "budget", "reason": "The launch.", "budget": "briefs", "amount": dollars(6000)} | values)


def test_what_is_asked_is_kept_with_its_facts(kim, workflow):
    lena = an_approver("Lena", workflow.team)
    facts = Facts(runs=40, extra_cost=dollars(230), based_on_runs=100, cheaper_tier=2, cheaper_name="Standard")
    asked = premium(run_id="r-7", user="u1", ceiling=dollars(300), wanted_until=NOW + timedelta(days=5))
    request = open_request(by(kim, "slack"), asked, facts, NOW)
    request.refresh_from_db()
    assert request.state == "waiting"
    assert (request.workflow, request.tier, request.run_id, request.subject_user) == (workflow, 3, "r-7", "u1")
    assert (request.runs, request.ceiling, request.extra_cost) == (40, dollars(300), dollars(230))
    assert (request.requested_by, request.requested_text, request.origin) == (kim, "kim", "slack")
    assert (request.team, request.risk_categories) == (workflow.team, ["public"])
    assert Facts(**request.facts) == facts
    assert request.lapses_at == NOW + timedelta(hours=72)
    assert request.remind_at == NOW + timedelta(hours=60)
    assert request.second_at is None  # only Lena can decide
    assert told(request) == [("request", lena.email)]
    entry = AuditEntry.objects.get(object_type="budgets.approvalrequest")
    assert (entry.act, entry.origin, entry.object_name) == ("asked", "slack", "Premium models for SEO briefs")
    assert entry.after["ceiling"] == dollars(300)


def test_every_field_is_checked_in_words(workflow):
    long = "x" * 129
    cases = {
        "kind": ({"kind": "nonsense"}, "premium models, or a bigger budget"),
        "reason": ({"reason": " \0\n"}, "Say why"),
        "workflow": ({"workflow": "nope"}, "There is no such workflow"),
        "tier": ({"tier": 9}, "1 for Economy, 2 for Standard, 3 for Premium"),
        "runs": ({"runs": 0}, "whole number of runs"),
        "ceiling": ({"ceiling": 0}, "above zero"),
        "wanted_until": ({"wanted_until": NOW}, "This time is over"),
        "run_id": ({"run_id": long}, "At most 128"),
        "user": ({"user": long}, "At most 128"),
    }
    for field, (values, said) in cases.items():
        problems = problems_of(premium(**values))
        assert list(problems) == [field]
        assert said in problems[field]
    for values in ({"tier": True}, {"tier": None}, {"tier": "3"}):
        assert list(problems_of(premium(**values))) == ["tier"]
    for values in ({"runs": True}, {"runs": 10**10}, {"ceiling": 10**19}, {"ceiling": -1}):
        assert list(problems_of(premium(**values))) == list(values)
    for until in (NOW.replace(tzinfo=None), NOW + timedelta(days=367)):
        assert list(problems_of(premium(wanted_until=until))) == ["wanted_until"]
    assert "Keep the reason under 1,000" in problems_of(premium(reason="x" * 1001))["reason"]
    assert "Choose the workflow" in problems_of(premium(workflow=""))["workflow"]
    several = problems_of(Asked("premium", "", workflow="nope", runs=-1))
    assert set(several) == {"reason", "workflow", "runs"}


def test_an_allowance_always_has_an_end(workflow):
    assert "most that may be spent, or for how many runs" in problems_of(premium(runs=None))["ceiling"]
    for values in ({"runs": 1}, {"ceiling": 1}, {"run_id": "r-7"}):
        open_request(ACTOR, premium(**{"runs": None} | values), Facts(), NOW)


def test_only_models_above_what_the_workflow_uses_anyway(workflow):
    Workflow.objects.update(default_tier=2)
    assert problems_of(premium(tier=2))["tier"].startswith("SEO briefs may use Standard models already.")
    assert list(problems_of(premium(tier=1))) == ["tier"]
    open_request(ACTOR, premium(tier=3), Facts(), NOW)


def test_the_floor_above_says_which_tiers_there_are(workflow):
    known = tiers._known
    tiers.tell_tiers(lambda: {1: "Basic", 7: "Best"})
    try:
        assert problems_of(premium(tier=3))["tier"] == "Choose which models: 1 for Basic, 7 for Best."
        request = open_request(ACTOR, premium(tier=7), Facts(), NOW)
        assert tiers.models_of(request.tier) == "Best models"
        assert tiers.models_of(3) == "Models of tier 3"
    finally:
        tiers._known = known


def test_workflows_that_are_no_more_or_nobodys(workflow):
    assert "kept here" in problems_of(premium(workflow="unassigned"))["workflow"]
    Workflow.objects.filter(pk=workflow.pk).update(status="ignored")
    assert "out of use" in problems_of(premium())["workflow"]


def test_a_merged_workflow_is_the_one_it_counts_as(workflow):
    target = a_workflow("briefs", "Briefs", team=a_team("Sales"))
    Workflow.objects.filter(pk=workflow.pk).update(status="merged", merged_into=target)
    request = open_request(ACTOR, premium(), Facts(), NOW)
    assert (request.workflow, request.team) == (target, target.team)


def test_a_bigger_budget(workflow, kim):
    budget = a_budget(dollars(5000), scope={"workflow": workflow.slug})
    assert "has $5,000 already" in problems_of(bigger(amount=dollars(5000)))["amount"]
    for amount in (None, 0, -1, True, 10**19):
        assert list(problems_of(bigger(amount=amount))) == ["amount"]
    assert "no such budget" in problems_of(bigger(budget="nope"))["budget"]
    assert "Choose the budget" in problems_of(bigger(budget=""))["budget"]
    request = open_request(by(kim), bigger(workflow="seo-briefs", tier=3, runs=-5), Facts(), NOW)
    assert (request.budget, request.amount, request.extra_cost) == (budget, dollars(6000), dollars(1000))
    assert (request.workflow, request.tier, request.runs) == (None, None, None)
    assert (request.team, request.risk_categories) == (workflow.team, ["public"])
    assert request.approvers_needed == 2


def test_whose_a_budget_is(workflow):
    sales = a_team("Sales")
    alias = a_workflow("old-briefs", "Old briefs", status="merged", merged_into=workflow)
    scopes = {
        "company": ({}, None),
        "team": ({"team": "sales"}, sales),
        "alias": ({"workflow": workflow.slug}, workflow.team),
        "model": ({"model": "x"}, None),
    }
    for name, (scope, team) in scopes.items():
        a_budget(dollars(10), name=name, scope=scope)
        assert open_request(ACTOR, bigger(budget=name), Facts(), NOW).team == team
    Budget.objects.filter(slug="model").update(scope={"workflow": alias.slug})
    assert open_request(ACTOR, bigger(budget="model"), Facts(), NOW).team == workflow.team


def test_a_budget_that_is_archived_or_over(workflow):
    budget = a_budget(dollars(5000))
    archive_budget(ACTOR, budget)
    assert "is archived" in problems_of(bigger())["budget"]
    Budget.objects.update(status="active", period="fixed", starts_on="2026-10-01", ends_on="2026-11-21")
    assert "is over" in problems_of(bigger())["budget"]
    Budget.objects.update(ends_on="2026-11-22")
    open_request(ACTOR, bigger(), Facts(), NOW)


def test_a_budget_of_calls_costs_nobody_knows_what(workflow):
    a_budget(5000, metric="calls")
    request = open_request(ACTOR, bigger(amount=6000), Facts(), NOW)
    assert (request.extra_cost, request.approvers_needed) == (None, 2)


def test_the_ceiling_counts_for_the_rule_too(workflow):
    a_person("Boss", "administrator")
    for extra, ceiling, needed in ((230, None, 1), (230, 499, 1), (230, 500, 2), (500, None, 2), (None, 400, 1)):
        request = a_request(ACTOR, extra=extra, ceiling=ceiling and dollars(ceiling))
        assert request.approvers_needed == needed
    assert a_request(ACTOR, extra=None).approvers_needed == 2  # 40 runs at a cost that nobody knows


def test_the_same_key_is_the_same_request(workflow, kim):
    lena = an_approver("Lena", workflow.team)
    first = a_request(by(kim), key="abc")
    again = a_request(by(kim), key="abc", extra=999, now=NOW + HOUR)
    assert again == first
    assert ApprovalRequest.objects.count() == 1
    assert told(first) == [("request", lena.email)]
    with pytest.raises(ReusedKey, match="used for another request") as raised:
        a_request(by(kim), key="abc", runs=41)
    assert raised.value.request == first
    assert a_request(by(lena), key="abc") != first  # somebody else's key
    assert a_request(by(kim), key="abd") != first
    assert a_request(by(kim)) != a_request(by(kim))  # no key, no memory


def test_a_repeat_is_answered_whatever_became_of_the_workflow(workflow, kim):
    first = a_request(by(kim), key="abc")
    Workflow.objects.update(status="ignored")
    assert a_request(by(kim), key="abc") == first


def test_two_api_keys_of_one_name_are_two_askers(workflow):
    keys = [make_key("Writer", ["request"])[0] for _ in range(2)]
    one, two = [a_request(Actor(None, "key Writer", "api", key_id=key.pk), key="abc") for key in keys]
    assert one != two


@pytest.mark.parametrize("key", ["x" * 129, "a\0b", "a\nb"])
def test_a_key_that_cannot_be_one(workflow, key):
    with pytest.raises(InvalidRequest, match="idempotency key"):
        a_request(ACTOR, key=key)


def test_one_is_asked_first_and_whoever_is_nearest(workflow, kim):
    a_person("Boss", "administrator")
    wide = an_approver("Wanda")
    assert a_request(by(kim)).first_asked == wide
    lena, omar = an_approver("Lena", workflow.team), an_approver("Omar", workflow.team)
    first = a_request(by(kim))
    assert first.first_asked == lena
    assert first.second_at == NOW + 8 * HOUR
    assert told(first) == [("request", lena.email)]
    assert a_request(by(kim)).first_asked == omar  # Lena has one to decide
    assert a_request(by(lena)).first_asked == omar  # nobody is asked for their own


def test_all_are_asked_at_once_where_there_is_no_time_or_two_have_to(workflow, kim):
    people = [an_approver("Lena", workflow.team), an_approver("Omar", workflow.team)]
    all_of_them = [("request", one.email) for one in people]
    short = a_request(by(kim), wanted_until=NOW + 8 * HOUR)
    assert (short.first_asked, short.second_at, short.remind_at) == (None, None, None)
    assert told(short) == all_of_them
    dear = a_request(by(kim), extra=5000)
    assert (dear.first_asked, dear.second_at) == (None, None)
    assert told(dear) == all_of_them


def test_where_nobody_can_decide_it_opens_and_administrators_are_told_so(workflow, kim):
    request = a_request(by(kim))
    assert "Nobody can decide this yet" in lack_of_deciders(request)
    assert told(request) == []
    boss = a_person("Boss", "administrator")
    own = a_request(by(boss))
    assert "Nobody can decide this yet" in lack_of_deciders(own)
    assert told(own) == [("request", boss.email)]  # only an administrator can change that
    assert own.deliveries.get().payload["text"].startswith("Nobody can decide this yet.")
    assert lack_of_deciders(request) == ""  # Boss can


def test_where_two_have_to_and_one_can(workflow, kim):
    lena = an_approver("Lena", workflow.team)
    request = a_request(by(kim), extra=5000)
    assert "only one can so far" in lack_of_deciders(request)
    assert told(request) == [("request", lena.email)]


def test_rules_choose_the_hours(workflow, kim):
    ApprovalRule.objects.update(lapses_after_hours=10, remind_before_hours=0, second_after_hours=0)
    an_approver("Lena"), an_approver("Omar")
    request = a_request(by(kim))
    assert (request.lapses_at, request.remind_at, request.second_at) == (NOW + 10 * HOUR, None, None)
    assert len(told(request)) == 2


def test_text_that_a_database_cannot_hold(workflow):
    request = a_request(ACTOR, reason="Why\0 not\ud800?", run_id="r\0")
    request.refresh_from_db()
    assert (request.reason, request.run_id) == ("Why not?", "r")
    assert "no such workflow" in problems_of_hostile("\ud800x")["workflow"]


def problems_of_hostile(workflow: str) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as raised:
        open_request(ACTOR, premium(workflow=workflow), Facts(), NOW)
    return raised.value.problems
