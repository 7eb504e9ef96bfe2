"""Whose an approved text is: its team's to change, and to read for every team whose workflows may use it."""

from typing import Any

from django.db.models import Q, QuerySet

from budgets.access.keys import KeyHolder
from budgets.access.reachable import BELONGING, ByField, reachable
from budgets.access.roles import VIEW, Reach, reach
from budgets.models import ApiKey, Workflow
from routing.models import Snippet

CHANGE = "routing.change_snippet"
READING = {ApiKey.Scope.BUNDLE, ApiKey.Scope.READ, ApiKey.Scope.ADMIN}


class OfSnippet(ByField):
    """One without a team is the whole company's to change."""

    def seen_too(self, who: Any) -> Q:
        return used_by(reach(who, VIEW).team_ids)


def used_by(team_ids: frozenset[int]) -> Q:
    """The texts that a workflow of one of these teams may use."""
    workflows = BELONGING[Workflow].narrowed(Workflow.objects.all(), team_ids)
    return Q(pk__in=Snippet.workflows.through.objects.filter(workflow__in=workflows).values("snippet_id"))


def register_reach() -> None:
    """Called once, when the application starts: the floor below fetches rows by it."""
    BELONGING[Snippet] = OfSnippet("team_id")


def reach_of(who: Any) -> Reach:
    """Of which teams somebody reads texts: with a role, or a key that fetches bundles or reads."""
    if not isinstance(who, KeyHolder):
        return reach(who, VIEW)
    return Reach(everything=not who.teams, team_ids=who.teams) if who.scopes & READING else Reach()


def snippets_for(who: Any) -> QuerySet[Snippet]:
    """What a person or a key may read."""
    if not isinstance(who, KeyHolder):
        return reachable(Snippet, who)
    reached = reach_of(who)
    if reached.everything:
        return Snippet.objects.all()
    own = BELONGING[Snippet].narrowed(Snippet.objects.all(), reached.team_ids).values("pk")
    return Snippet.objects.filter(Q(pk__in=own) | used_by(reached.team_ids)) if reached else Snippet.objects.none()
