"""Which rows somebody reaches: the one place where objects are fetched for a person or a key. Outside it there is 404.

Each model says once how its rows belong to teams. One that says nothing is the whole company's: only those reach it
whom no team narrows.
"""

from typing import Any, Protocol, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.db.models.fields.json import KT
from django.shortcuts import get_object_or_404

from budgets.access.keys import KeyHolder
from budgets.access.roles import VIEW, may, reach
from budgets.models import (
    Alert,
    AlertRule,
    ApiKey,
    ApprovalRequest,
    ApprovalRule,
    Budget,
    Crossing,
    Grant,
    PlanLine,
    PlannedActivity,
    StoppedRun,
    Team,
    Workflow,
)

M = TypeVar("M", bound=Model)
NOT_YOURS = "You can see this, but changing it needs another role for its team. An administrator can give it to you."


class Belonging(Protocol):
    """How the rows of a model belong to teams."""

    def narrowed(self, rows: QuerySet[Any], team_ids: frozenset[int]) -> QuerySet[Any]:
        """The rows that belong to one of these teams."""

    def teams_of(self, row: Any) -> set[int | None]:
        """The teams that a row belongs to; it need not be saved."""


class ByField:
    """A column with the team's id."""

    def __init__(self, name: str) -> None:
        self.name = name

    def narrowed(self, rows: QuerySet[Any], team_ids: frozenset[int]) -> QuerySet[Any]:
        return rows.filter(**{f"{self.name}__in": team_ids})

    def teams_of(self, row: Any) -> set[int | None]:
        return {getattr(row, self.name)}


class OfWorkflow:
    """A workflow is its team's; one that was merged is the team's that it counts under."""

    def narrowed(self, rows: QuerySet[Any], team_ids: frozenset[int]) -> QuerySet[Any]:
        return rows.filter(Q(merged_into=None, team__in=team_ids) | Q(merged_into__team__in=team_ids))

    def teams_of(self, row: Workflow) -> set[int | None]:
        counted = row.merged_into if row.merged_into_id else row
        return {counted.team_id} if counted else set()


class OfBudget:
    """A budget is the team's that it covers, or whose workflow it covers."""

    def narrowed(self, rows: QuerySet[Any], team_ids: frozenset[int]) -> QuerySet[Any]:
        teams = Team.objects.filter(pk__in=team_ids).values("slug")
        workflows = OfWorkflow().narrowed(Workflow.objects.all(), team_ids).values("slug")
        rows = rows.alias(covered_team=KT("scope__team"), covered_workflow=KT("scope__workflow"))
        return rows.filter(Q(covered_team__in=teams) | Q(covered_workflow__in=workflows))

    def teams_of(self, row: Budget) -> set[int | None]:
        found: set[int | None] = set()
        if slug := row.scope.get("team"):
            found |= set(Team.objects.filter(slug=slug).values_list("pk", flat=True))
        if slug := row.scope.get("workflow"):
            for workflow in Workflow.objects.filter(slug=slug).select_related("merged_into"):
                found |= OfWorkflow().teams_of(workflow)
        return found


class OfActivity:
    """Planned activity is its team's or its workflow's team's. Without either it concerns everybody, who may see it."""

    def narrowed(self, rows: QuerySet[Any], team_ids: frozenset[int]) -> QuerySet[Any]:
        workflows = OfWorkflow().narrowed(Workflow.objects.all(), team_ids).values("pk")
        return rows.filter(Q(team__in=team_ids) | Q(workflow__in=workflows))

    def seen_too(self, who: Any) -> Q:
        return Q(team=None, workflow=None)

    def teams_of(self, row: PlannedActivity) -> set[int | None]:
        return {row.team_id} | (OfWorkflow().teams_of(row.workflow) if row.workflow else set())


class OfRequest(ByField):
    """A request is its team's. Who asked, who is named to decide it, and the key that asked see it, too."""

    def seen_too(self, who: Any) -> Q:
        if isinstance(who, KeyHolder):
            return Q(api_key=who.key_id) if ApiKey.Scope.REQUEST in who.scopes else Q()
        named = ApprovalRule.people.through.objects.filter(user_id=who.pk).values("approvalrule_id")
        own = Q(requested_by_id=who.pk) | Q(api_key__created_by_id=who.pk)
        return own | Q(first_asked_id=who.pk) | Q(rule__in=named)


class OfRule(ByField):
    """A rule for approvals is its team's; those for every team are everybody's to see."""

    def seen_too(self, who: Any) -> Q:
        return Q(team=None)


class By:
    """By way of another object, which belongs to teams: the name of the foreign key and what that leads to."""

    def __init__(self, name: str, model: type[Model]) -> None:
        self.name, self.model = name, model

    def narrowed(self, rows: QuerySet[Any], team_ids: frozenset[int]) -> QuerySet[Any]:
        theirs = BELONGING[self.model].narrowed(self.model._default_manager.all(), team_ids)
        return rows.filter(**{f"{self.name}__in": theirs.values("pk")})

    def teams_of(self, row: Any) -> set[int | None]:
        return BELONGING[self.model].teams_of(getattr(row, self.name))


BELONGING: dict[type[Model], Belonging] = {
    Team: ByField("pk"),
    Workflow: OfWorkflow(),
    Budget: OfBudget(),
    PlanLine: ByField("team_id"),
    PlannedActivity: OfActivity(),
    ApprovalRequest: OfRequest("team_id"),
    ApprovalRule: OfRule("team_id"),
    AlertRule: ByField("team_id"),
    Alert: ByField("team_id"),
    Grant: By("workflow", Workflow),
    StoppedRun: By("workflow", Workflow),
    Crossing: By("budget", Budget),
}


def teams_of(row: Model) -> set[int]:
    """The ids of the teams that a row belongs to; none for what is the whole company's."""
    belonging = BELONGING.get(type(row))
    return {one for one in belonging.teams_of(row) if one is not None} if belonging else set()


def reachable(rows: QuerySet[M] | type[M], who: Any, permission: str = VIEW) -> QuerySet[M]:
    """The rows of which `who` (a person or the holder of a key) has `permission`."""
    found: QuerySet[M] = rows._default_manager.all() if isinstance(rows, type) else rows
    reached = reach(who, permission)
    if reached.everything:
        return found
    belonging = BELONGING.get(found.model)
    if belonging is None:
        return found.none()
    theirs = belonging.narrowed(found.model._default_manager.all(), reached.team_ids).values("pk")
    fits = Q(pk__in=theirs) if reached else Q(pk__in=[])
    own = isinstance(who, KeyHolder) and found.model is ApprovalRequest  # a key that only asks reads what it asked
    if permission == VIEW and (reached or own) and hasattr(belonging, "seen_too"):
        fits |= belonging.seen_too(who)
    return found.filter(fits)


def outside(who: Any, permission: str, row: Model) -> str:
    """A sentence where `who` has not `permission` for a row as stated, else "". A command or a job (None) may."""
    if who is None or may(who, permission, row):
        return ""
    names = ", ".join(Team.objects.filter(pk__in=reach(who, permission).team_ids).values_list("name", flat=True))
    return f"You can do this for {names} only." if names else NOT_YOURS


def fetched(rows: QuerySet[M] | type[M], who: Any, permission: str = VIEW, **by: Any) -> M:
    """The one row with these values: Http404 for whom it is out of sight, PermissionDenied where only the act is."""
    row = get_object_or_404(reachable(rows, who), **by)
    if permission != VIEW and not may(who, permission, row):
        raise PermissionDenied(NOT_YOURS)
    return row
