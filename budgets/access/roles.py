"""What each role may do, and of which teams: the one place that pages, REST and Slack ask.

A membership gives its role's permissions, for one team or for the whole company. `RoleBackend` answers
`user.has_perm(permission, obj)` by them; `reach` says of which teams somebody has a permission, and
`budgets.access.reachable` narrows rows to those.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import CharField, F, OuterRef, Value
from django.db.models.functions import Cast, Coalesce, Concat

from budgets.access.keys import KeyHolder
from budgets.models import ApiKey, Membership
from budgets.models.people import Role

VIEW = "budgets.view"  # what is in reach
VIEW_COMPANY = "budgets.view_company"  # pages about the whole company
ASK = "budgets.ask_request"
DECIDE = "budgets.decide_request"
CHANGE_BUDGET = "budgets.change_budget"
CHANGE_POLICY = "routing.change_policy"  # drafts
PUBLISH_POLICY = "routing.publish_policy"  # put in force, go back, and be the second person of somebody else's

_VIEWER = frozenset({VIEW, VIEW_COMPANY, ASK})
_OF_A_TEAM = frozenset(
    {
        CHANGE_BUDGET,
        "budgets.change_workflow",
        "budgets.change_planline",
        "budgets.change_plannedactivity",
        "budgets.change_alertrule",
        "budgets.handle_alert",
        "routing.change_snippet",
        "usage.change_outcome",
    }
)
_FINANCE = frozenset(
    {
        CHANGE_BUDGET,
        "budgets.change_planline",
        "budgets.change_plannedactivity",
        "budgets.change_currencyrate",
        "budgets.close_days",
        "budgets.handle_alert",
        DECIDE,
        "usage.change_othercost",
        "usage.change_priceentry",
        "usage.change_quarantineditem",
    }
)
_POLICY_ADMIN = frozenset(
    {
        "budgets.change_workflow",
        "budgets.change_alertrule",
        "budgets.change_approvalrule",
        "budgets.change_channel",
        "budgets.handle_alert",
        CHANGE_POLICY,
        PUBLISH_POLICY,
        "routing.change_snippet",
    }
)
_ADMINISTRATOR = frozenset(
    {
        "budgets.add_apikey",
        "budgets.add_team",
        "budgets.change_apikey",
        "budgets.change_organisation",
        "budgets.change_people",
        "budgets.change_team",
    }
)

PERMISSIONS: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: _VIEWER,
    Role.BUDGET_OWNER: _VIEWER | _OF_A_TEAM,
    Role.APPROVER: _VIEWER | {DECIDE, "budgets.handle_alert", "usage.change_outcome"},
    Role.FINANCE: _VIEWER | _FINANCE,
    Role.POLICY_ADMIN: _VIEWER | _POLICY_ADMIN,
    # Whatever there is, this role may; these are what pages and APIs ask for.
    Role.ADMINISTRATOR: _VIEWER | _OF_A_TEAM | _FINANCE | _POLICY_ADMIN | _ADMINISTRATOR,
}
# What a role gives for a team, too. Everything else it gives only where it is held for the whole company.
FOR_A_TEAM = frozenset({VIEW, ASK, DECIDE}) | _OF_A_TEAM

Held = tuple[tuple[str, int | None], ...]  # (role, team's id or None for the whole company)


@dataclass(frozen=True, slots=True)
class Reach:
    """Of which teams somebody has a permission. Without any it is false."""

    everything: bool = False
    team_ids: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or bool(self.team_ids)

    def has(self, team_ids: Iterable[int]) -> bool:
        """Whether one of these teams is in it; what belongs to no team is in reach of everything only."""
        return self.everything or not self.team_ids.isdisjoint(team_ids)


def roles_with(permission: str) -> list[Role]:
    """The roles that give a permission."""
    return [role for role, given in PERMISSIONS.items() if permission in given]


EVERYTHING, NOTHING = Reach(everything=True), Reach()


def held(user: Any) -> Held:
    """The roles of a person: one query for a user object, none for one that the session brought."""
    found: Held | None = getattr(user, "held_roles", None)
    if found is None:
        found = tuple(Membership.objects.filter(user_id=user.pk).order_by().values_list("role", "team_id"))
        user.held_roles = found
    return found


def reach(who: Any, permission: str) -> Reach:
    """Of which teams `who` has `permission`: a person (signed in or not) or the holder of a key.

    A key has it by its scopes, narrowed to its teams where it has any.
    """
    if isinstance(who, KeyHolder):
        return _reach_of_key(who, permission)
    if not getattr(who, "is_active", False) or who.pk is None:
        return NOTHING
    if who.is_superuser:
        return EVERYTHING
    teams = set()
    for role, team_id in held(who):
        if role == Role.ADMINISTRATOR:
            return EVERYTHING
        if role in Role.values and permission in PERMISSIONS[Role(role)]:
            if team_id is None:
                return EVERYTHING
            if permission in FOR_A_TEAM:
                teams.add(team_id)
    return Reach(team_ids=frozenset(teams))


def _reach_of_key(key: KeyHolder, permission: str) -> Reach:
    scope = ApiKey.Scope
    opens = {VIEW: {scope.READ, scope.ADMIN}, VIEW_COMPANY: {scope.READ, scope.ADMIN}, ASK: {scope.REQUEST}}
    if not key.scopes & opens.get(permission, {scope.ADMIN}):
        return NOTHING
    if not key.teams:
        return EVERYTHING
    return Reach(team_ids=key.teams) if permission in FOR_A_TEAM else NOTHING


def may(who: Any, permission: str, obj: Any = None) -> bool:
    """Whether `who` has `permission`: for `obj`, or without one anywhere."""
    found = reach(who, permission)
    if obj is None or not found or found.everything:
        return bool(found)
    from budgets.access.reachable import teams_of  # it reads what is narrowed by this module

    return found.has(teams_of(obj))


class RoleBackend(AuthenticationBackend):  # type: ignore[misc]
    """Signs people in as django-allauth does, and answers what they may do by their roles alone."""

    def get_user(self, user_id: Any) -> User | None:
        """The person of a session, with their roles in the same query."""
        row = Concat("role", Value(":"), Coalesce(Cast(F("team_id"), CharField()), Value("")))
        roles = Membership.objects.filter(user=OuterRef("pk")).order_by().values_list(row)
        found = User.objects.annotate(role_rows=ArraySubquery(roles)).filter(pk=user_id).first()
        if found is None or not self.user_can_authenticate(found):
            return None
        pairs = (one.partition(":") for one in found.role_rows)
        found.held_roles = tuple((role, int(team) if team else None) for role, _, team in pairs)  # type: ignore[attr-defined]
        return found

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return may(user_obj, perm, obj)

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        every = PERMISSIONS[Role.ADMINISTRATOR]
        return {permission for permission in every if may(user_obj, permission, obj)}

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Django's admin asks this; it is the administrator's."""
        return reach(user_obj, f"{app_label}.*").everything
