"""Teams over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.drf import InReach
from budgets.access.problems import Problem
from budgets.access.sent import body, invalid
from budgets.audit.record import Actor
from budgets.models import Team
from budgets.workflows.serializers import TeamChangeSerializer, TeamSerializer, WorkflowReasonSerializer, stated_team
from budgets.workflows.teams import InvalidTeam, RefusedTeam, TeamValues, change_team, create_team, delete_team


class Teamed(InReach):
    """Reading needs the scope `read`, changing `admin`. Whoever is limited to teams reads those."""

    required_scope = "admin"
    read_scope = "read"
    permission = "budgets.change_team"


@contextmanager
def as_problems() -> Iterator[None]:
    """What is refused, as a problem document."""
    try:
        yield
    except InvalidTeam as error:
        raise invalid(error.problems) from error
    except RefusedTeam as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


@extend_schema_view(get=extend_schema(summary="List teams", tags=["teams"]))
class TeamListView(Teamed, generics.ListCreateAPIView[Team]):
    """All teams, by name."""

    permission = "budgets.add_team"
    serializer_class = TeamSerializer
    queryset = Team.objects.order_by("name", "id")

    @extend_schema(
        summary="Make a team",
        description="Workflows and budgets may belong to it.",
        request=TeamSerializer,
        responses={201: TeamSerializer},
        tags=["teams"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(TeamSerializer, request)
        with as_problems():
            team = create_team(Actor.of_request(request), TeamValues(**sent))
        return Response(TeamSerializer(team).data, status=status.HTTP_201_CREATED)


@extend_schema_view(get=extend_schema(summary="One team", tags=["teams"]))
class TeamView(Teamed, generics.RetrieveAPIView[Team]):
    """A business unit."""

    serializer_class = TeamSerializer
    queryset = Team.objects.all()
    lookup_field = "slug"

    @extend_schema(summary="Change a team", request=TeamChangeSerializer, responses=TeamSerializer, tags=["teams"])
    def patch(self, request: Request, slug: str) -> Response:
        team = self.get_object()
        sent = body(TeamChangeSerializer, request)
        with as_problems():
            changed = change_team(Actor.of_request(request), team, stated_team(sent, team), sent["reason"])
        return Response(TeamSerializer(changed).data)

    @extend_schema(
        summary="Delete a team",
        description="Only one that nothing belongs to; 409 says what does.",
        request=WorkflowReasonSerializer,
        responses={204: None},
        tags=["teams"],
    )
    def delete(self, request: Request, slug: str) -> Response:
        team, sent = self.get_object(), body(WorkflowReasonSerializer, request)
        with as_problems():
            delete_team(Actor.of_request(request), team, sent["reason"])
        return Response(status=status.HTTP_204_NO_CONTENT)
