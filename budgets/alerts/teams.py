"""Whose budgets are: the team that a scope names, or the one that owns the workflow it names."""

from collections.abc import Iterable

from budgets.models import Budget, Team, Workflow


def teams_of_budgets(budgets: Iterable[Budget]) -> dict[int, int]:
    """Budget id → team id, of those that belong to one. Two statements."""
    rows = {row.pk: row.scope for row in budgets}
    teams = {scope["team"] for scope in rows.values() if "team" in scope}
    workflows = {scope["workflow"] for scope in rows.values() if "workflow" in scope}
    by_team = dict(Team.objects.filter(slug__in=teams).values_list("slug", "pk")) if teams else {}
    by_workflow: dict[str, int | None] = {}
    if workflows:
        by_workflow = dict(Workflow.objects.filter(slug__in=workflows).values_list("slug", "team_id"))
    found = {
        pk: by_team.get(scope.get("team", ""), by_workflow.get(scope.get("workflow", ""))) for pk, scope in rows.items()
    }
    return {pk: team for pk, team in found.items() if team is not None}
