"""Who may do what, of which teams: the roles themselves, what they reach, and the roles of an upgrade."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404
from django.utils import timezone

from budgets.access.keys import KeyHolder
from budgets.access.reachable import fetched, reachable, teams_of
from budgets.access.roles import ASK, DECIDE, PERMISSIONS, VIEW, VIEW_COMPANY, RoleBackend, may, reach
from budgets.models import (
    Alert,
    AlertRule,
    ApprovalRequest,
    AuditEntry,
    Budget,
    Membership,
    PlanLine,
    PlannedActivity,
    Role,
    Team,
    Workflow,
)
from tests.people import someone

pytestmark = pytest.mark.django_db
CHANGE = "budgets.change_budget"


@pytest.fixture
def brand():
    return Team.objects.create(slug="brand", name="Brand")


@pytest.fixture
def growth():
    return Team.objects.create(slug="growth", name="Growth")


def a_key(*scopes, teams=()):
    return KeyHolder(1, "robot", 1, "robot", (("robot", 1),), frozenset(scopes), None, frozenset(teams))


def test_a_role_for_the_company_has_all_its_permissions_and_for_a_team_only_that_teams(brand, growth):
    owner, wide = someone("budget_owner", brand), someone("budget_owner")
    theirs, others = (
        Budget.objects.create(slug=t.slug, name=t.name, amount=1, scope={"team": t.slug}) for t in (brand, growth)
    )
    everybodys = Budget.objects.create(slug="all", name="All", amount=1)
    assert owner.has_perm(CHANGE) and owner.has_perm(CHANGE, theirs)
    assert not owner.has_perm(CHANGE, others) and not owner.has_perm(CHANGE, everybodys)
    assert all(wide.has_perm(CHANGE, one) for one in (None, theirs, others, everybodys))
    assert wide.has_perm(VIEW_COMPANY) and not owner.has_perm(VIEW_COMPANY)
    assert not owner.has_perm("usage.change_priceentry")


def test_every_role_does_what_it_says_and_no_more():
    for role, permissions in PERMISSIONS.items():
        person = someone(role, name=role)
        everything = role == Role.ADMINISTRATOR
        for permission in PERMISSIONS[Role.ADMINISTRATOR] | {"no.such_thing"}:
            assert person.has_perm(permission) == (everything or permission in permissions), (role, permission)


def test_nobody_else_may_anything(brand):
    stranger, closed = User.objects.create_user("stranger"), someone("administrator", name="closed", is_active=False)
    stranger.user_permissions.add(Permission.objects.get(codename="change_budget"))
    for who in (stranger, closed, AnonymousUser(), User(username="not saved"), None):
        assert not reach(who, VIEW) and not may(who, CHANGE)
        assert not reachable(Budget, who).exists()
    assert not stranger.has_perm(CHANGE)  # roles alone say it, not Django's own permissions
    root = User.objects.create_superuser("root")
    assert root.has_perm("whatever.it_is") and reach(root, VIEW).everything
    closed_root = User.objects.create_superuser("closed-root", is_active=False)
    assert not reach(closed_root, VIEW)


def test_a_session_brings_its_roles_in_one_query(brand, django_assert_num_queries):
    person = someone("approver", brand)
    person.memberships.create(role="viewer")
    with django_assert_num_queries(1):
        found = RoleBackend().get_user(person.pk)
        assert reach(found, VIEW).everything and reach(found, DECIDE).team_ids == {brand.pk}
    assert RoleBackend().get_user(User.objects.create_user("gone", is_active=False).pk) is None


def test_what_is_reached_of_each_model_is_the_teams_own(brand, growth):
    now = timezone.now()
    rule = AlertRule.objects.create(name="company", trigger="x")
    made = {}
    for team in (brand, growth, None):
        slug = team.slug if team else "none"
        flow = Workflow.objects.create(slug=slug, name=slug, team=team)
        made[slug] = [
            flow,
            Workflow.objects.create(slug=f"{slug}-alias", name="A", status="merged", merged_into=flow),
            Budget.objects.create(slug=f"{slug}-team", name="A", amount=1, scope={"team": slug} if team else {}),
            Budget.objects.create(slug=f"{slug}-flow", name="B", amount=1, scope={"workflow": slug, "model": "m"}),
            PlanLine.objects.create(month="2026-11-01", team=team, amount=1),
            PlannedActivity.objects.create(name="A", workflow=flow, starts_at=now, ends_at=now.replace(year=2030)),
            AlertRule.objects.create(name=slug, trigger="x", team=team),
            Alert.objects.create(rule=rule, cause=slug, title=slug, team=team, happened_at=now),
            ApprovalRequest.objects.create(
                kind="premium", workflow=flow, tier=3, team=team, reason="x", requested_text="x", origin="web",
                created_at=now, lapses_at=now.replace(year=2030),
            ),
        ]  # fmt: skip
    person = someone("viewer", brand)
    key = a_key("read", teams=[brand.pk])
    for slug, rows in made.items():
        for row in rows:
            assert teams_of(row) == ({brand.pk} if slug == "brand" else {growth.pk} if slug == "growth" else set()), row
            for who in (person, key):
                assert reachable(type(row), who).filter(pk=row.pk).exists() == (slug == "brand"), (slug, row)
    assert {team.slug for team in reachable(Team, person)} == {"brand"}
    assert not reachable(AuditEntry, person).exists()  # what says nothing of teams is the company's
    PlannedActivity.objects.create(name="Holiday", starts_at=now, ends_at=now.replace(year=2030))
    assert reachable(PlannedActivity, person).filter(name="Holiday").exists()  # concerns everybody
    owner = someone("budget_owner", brand)
    assert not reachable(PlannedActivity, owner, "budgets.change_plannedactivity").filter(name="Holiday").exists()


def test_fetching_is_404_out_of_sight_and_403_where_only_the_act_is(brand, growth):
    owner = someone("budget_owner", brand)
    owner.memberships.create(role="viewer", team=growth)
    Budget.objects.create(slug="a", name="A", amount=1, scope={"team": "brand"})
    Budget.objects.create(slug="b", name="B", amount=1, scope={"team": "growth"})
    Budget.objects.create(slug="c", name="C", amount=1)
    assert fetched(Budget, owner, CHANGE, slug="a").name == "A"
    assert fetched(Budget, owner, slug="b").name == "B"
    with pytest.raises(PermissionDenied):
        fetched(Budget, owner, CHANGE, slug="b")
    with pytest.raises(Http404):
        fetched(Budget, owner, slug="c")


def test_keys_reach_what_their_scopes_and_teams_say(brand):
    assert reach(a_key("read"), VIEW).everything and not reach(a_key("read"), CHANGE)
    assert reach(a_key("admin"), CHANGE).everything and not reach(a_key("ingest"), VIEW)
    limited = a_key("admin", "read", "request", teams=[brand.pk])
    assert reach(limited, CHANGE).team_ids == {brand.pk} == reach(limited, ASK).team_ids
    assert not reach(limited, VIEW_COMPANY) and not reach(limited, "budgets.change_people")
    now = timezone.now()
    flow = Workflow.objects.create(slug="f", name="F", team=brand)
    values = {"kind": "premium", "workflow": flow, "tier": 3, "team": brand, "reason": "x", "requested_text": "x"}
    values |= {"origin": "api", "created_at": now, "lapses_at": now.replace(year=2030)}
    ApprovalRequest.objects.create(**values)
    assert not reachable(ApprovalRequest, a_key("request")).exists()  # not its own
    assert not reachable(PlannedActivity, a_key("request")).exists()


def test_an_upgrade_gives_each_their_role():
    Membership.objects.all().delete()
    changing = Permission.objects.get(codename="change_budget")
    User.objects.create_superuser("root")
    User.objects.create_user("edits").user_permissions.add(changing)
    group = Group.objects.create(name="finance people")
    group.permissions.add(changing)
    User.objects.create_user("grouped").groups.add(group)
    User.objects.create_user("looks").user_permissions.add(Permission.objects.get(codename="view_budget"))
    User.objects.create_user("gone", is_active=False)
    someone("policy_admin", name="has one")
    import_module("budgets.migrations.0017_people").give_roles(apps, connection.schema_editor())
    assert dict(Membership.objects.values_list("user__username", "role")) == {
        "root": "administrator", "edits": "finance", "grouped": "finance", "looks": "viewer", "has one": "policy_admin",
    }  # fmt: skip


def test_whoever_has_no_role_is_told_who_gives_one(client):
    boss = User.objects.create_superuser("lena", first_name="Lena", last_name="Kraus")
    assert boss.is_active
    client.force_login(User.objects.create_user("new"))
    for path in ("/", "/budgets/", "/menu/"):
        page = client.get(path)
        assert page.status_code == 403 and "Lena Kraus can give you a role" in page.content.decode()
        assert "<nav" not in page.content.decode()
    assert client.get("/profile/").status_code == 200
    assert client.get("/api/v1/budgets").status_code == 403
