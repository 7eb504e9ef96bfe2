"""Which rule fits, who decides by it, and who sees a request."""

from importlib import import_module

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection

from budgets.access.keys import KeyHolder, make_key
from budgets.access.reachable import reachable
from budgets.approvals.decide import approve
from budgets.approvals.rules import live_rules, may_decide, may_undo, rule_for, who_may_decide
from budgets.audit.record import Actor
from budgets.migrations import __name__ as migrations
from budgets.models import ApprovalRequest, ApprovalRule, Membership
from budgets.tests.asking import NOW, a_person, a_request, a_team, a_workflow, an_approver, by, dollars

pytestmark = pytest.mark.django_db


@pytest.fixture
def team():
    return a_team()


@pytest.fixture
def kim(team):
    a_workflow(team=team)
    return a_person("Kim", "budget_owner", team)


def names(people) -> list[str]:
    return sorted(one.first_name for one in people)


def a_rule(name: str, position: int = 0, **values) -> ApprovalRule:
    return ApprovalRule.objects.create(name=name, position=position, **values)


def test_a_fresh_installation_has_two_rules():
    rows = live_rules().values_list("name", "above", "approvers_needed", "role")
    assert list(rows) == [("Large amounts", dollars(500), 2, "approver"), ("Everything else", None, 1, "approver")]


def test_migrating_a_restored_backup_leaves_its_rules():
    first_rules = import_module(f"{migrations}.0014_approvals").FIRST_RULES
    ApprovalRule.objects.all().delete()
    mine = a_rule("Ours")
    with connection.cursor() as cursor:
        cursor.execute(first_rules)
    assert list(ApprovalRule.objects.all()) == [mine]


def test_the_first_that_fits(team):
    fits = lambda kind="premium", of=None, risks=(), cost=1: rule_for(kind, of, risks, cost).name  # noqa: E731
    assert fits(cost=dollars(500) - 1) == "Everything else"
    assert fits(cost=dollars(500)) == "Large amounts"
    assert fits(cost=None) == "Large amounts"  # it might be any amount
    a_rule("Budgets", kinds=["budget"])
    a_rule("Public", risk_category="public")
    a_rule("Content", team=team)
    assert fits("budget") == "Budgets"
    assert fits(risks=["irreversible", "public"]) == "Public"
    assert fits(risks=["irreversible"]) == "Everything else"
    assert fits(of=team) == "Content"
    assert fits(of=a_team("Sales")) == "Everything else"
    assert fits("budget", team, ["public"]) == "Budgets"  # made first, at the same place
    ApprovalRule.objects.filter(name="Budgets").update(archived_at=NOW)
    assert fits("budget", team, ["public"]) == "Public"


def test_without_any_rule_an_approver_decides(team, kim):
    ApprovalRule.objects.all().delete()
    lena = an_approver("Lena", team)
    request = a_request(by(kim))
    assert (request.rule, request.approvers_needed) == (None, 1)
    approve(by(lena), request.pk, now=NOW)


def test_approvers_of_the_team_of_the_company_and_administrators_decide(team, kim):
    an_approver("Lena", team), an_approver("Wanda"), an_approver("Elsewhere", a_team("Sales"))
    a_person("Boss", "administrator"), a_person("Root", is_superuser=True)
    a_person("Fin", "finance"), a_person("Viewer", "viewer"), a_person("Gone", "administrator", is_active=False)
    assert names(who_may_decide(a_request(by(kim)))) == ["Boss", "Lena", "Root", "Wanda"]
    ApprovalRule.objects.update(role="finance")
    assert names(who_may_decide(a_request(by(kim)))) == ["Boss", "Fin", "Root"]


def test_what_belongs_to_no_team_is_for_the_whole_companys(kim, team):
    a_workflow("unowned", "Unowned")
    an_approver("Lena", team), an_approver("Wanda")
    assert names(who_may_decide(a_request(by(kim), workflow="unowned"))) == ["Wanda"]


def test_only_named_people_decide_where_some_are_named(kim, team):
    boss, lena, cfo = a_person("Boss", "administrator"), an_approver("Lena", team), a_person("Carla")
    rule = ApprovalRule.objects.get(name="Everything else")
    rule.people.add(cfo)
    request = a_request(by(kim))
    assert names(who_may_decide(request)) == ["Carla"]
    assert not may_decide(lena, request)
    assert not may_decide(boss, request)
    assert names(who_may_decide(a_request(by(cfo)))) == ["Boss"]  # her own: administrators come in
    User.objects.filter(pk=cfo.pk).update(is_active=False)
    assert names(who_may_decide(request)) == ["Boss"]


def test_a_change_of_roles_counts_at_once(kim, team):
    lena = an_approver("Lena", team)
    request = a_request(by(kim))
    assert may_decide(lena, request)
    Membership.objects.filter(user=lena).delete()
    assert not may_decide(lena, request)


def test_buttons(kim, team):
    lena, omar = an_approver("Lena", team), an_approver("Omar", team)
    request = a_request(by(kim), extra=900)
    assert [may_decide(one, request) for one in (kim, lena, omar, AnonymousUser(), None)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    approve(by(lena), request.pk, now=NOW)
    assert (may_decide(lena, request), may_undo(lena, request), may_undo(omar, request)) == (False, True, False)
    approve(by(omar), request.pk, now=NOW)
    request.refresh_from_db()
    assert not may_decide(omar, request)
    assert (may_undo(lena, request), may_undo(omar, request), may_undo(kim, request)) == (True, True, False)
    assert not may_undo(None, request)


def test_who_sees_what(kim, team):
    sales = a_team("Sales")
    a_workflow("ads", "Ads", team=sales)
    a_workflow("unowned", "Unowned")
    lena = an_approver("Lena", team)
    key = make_key("Writer", ["request"], created_by=lena)[0]
    own = a_request(by(kim))
    ads = a_request(Actor(None, "key Writer", "api", key_id=key.pk), workflow="ads")
    stranger = a_person("Stranger", "budget_owner", a_team("Other"))
    unowned = a_request(by(stranger), workflow="unowned")
    seen = lambda user: set(reachable(ApprovalRequest, user))  # noqa: E731
    assert seen(kim) == {own}
    assert seen(lena) == {own, ads}  # her key asked
    assert seen(a_person("Sam", "viewer", sales)) == {ads}
    for role in ("viewer", "approver", "finance", "policy_admin", "administrator"):
        assert seen(a_person(f"Wide-{role}", role)) == {own, ads, unowned}
    assert seen(a_person("Root", is_superuser=True)) == {own, ads, unowned}
    assert seen(stranger) == {unowned}
    assert seen(a_person("Nobody")) == set()
    assert seen(a_person("Left", "administrator", is_active=False)) == set()
    carla = a_person("Carla", "viewer", a_team("Other"))
    ApprovalRule.objects.get(name="Everything else").people.add(carla)
    assert seen(carla) == {own, ads, unowned}
    assert seen(AnonymousUser()) == set()


def test_what_a_key_sees(kim, team):
    key, other = [make_key("Writer", ["request"])[0] for _ in range(2)]
    own = a_request(Actor(None, "key Writer", "api", key_id=key.pk))
    theirs = a_request(by(kim))

    def seen(key, scope):
        return set(reachable(ApprovalRequest, KeyHolder(key.pk, "Writer", 1, "w", (), frozenset({scope}), None)))

    assert seen(key, "request") == {own}
    assert seen(other, "request") == set()
    assert seen(other, "read") == {own, theirs}
    assert seen(key, "ingest") == set()
