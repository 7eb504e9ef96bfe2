"""Whose a finding is: the team's of its workflow, or the team that it is about. One about a model is the company's."""

from typing import Any

from django.db.models import Q, QuerySet

from budgets.access.reachable import BELONGING, reachable
from budgets.models import Workflow
from reports.models import Finding

RELATED = ("workflow__merged_into", "team", "owner")


class OfFinding:
    """By its workflow as that belongs now, else by its team."""

    def narrowed(self, rows: QuerySet[Any], team_ids: frozenset[int]) -> QuerySet[Any]:
        workflows = BELONGING[Workflow].narrowed(Workflow.objects.all(), team_ids).values("pk")
        return rows.filter(Q(workflow__in=workflows) | Q(workflow=None, team__in=team_ids))

    def teams_of(self, row: Finding) -> set[int | None]:
        return BELONGING[Workflow].teams_of(row.workflow) if row.workflow else {row.team_id}


def register_reach() -> None:
    """Called once, when the application starts: the floor below fetches rows by it."""
    BELONGING[Finding] = OfFinding()


def findings_for(who: Any) -> QuerySet[Finding]:
    """What a person or a key may see, with what is shown beside it."""
    return reachable(Finding, who).select_related(*RELATED)
