"""Teams over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.problems import Problem
from budgets.audit.record import Actor
from budgets.models import Team
from budgets.workflows.serializers import TeamChangeSerializer, TeamSerializer, WorkflowReasonSerializer, stated_team
from budgets.workflows.teams import InvalidTeam, RefusedTeam, TeamValues, change_team, create_team, delete_team


class Teamed:
    """Reading needs the scope `read`, changing `admin`."""

    required_scope = "admin"
    read_scope = "read"
    permission = "budgets.change_team"


@contextmanager
def as_problems() -> Iterator[None]:
    """What is refused, as a problem document."""
    try:
        yield
    except InvalidTeam as error:
        raise serializers.ValidationError({name: [said] for name, said in error.problems.items()}) from error
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
        sent = TeamSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with as_problems():
            team = create_team(Actor.of_request(request), TeamValues(**sent.validated_data))
        return Response(TeamSerializer(team).data, status=status.HTTP_201_CREATED)


@extend_schema_view(get=extend_schema(summary="One team", tags=["teams"]))
class TeamView(Teamed, generics.RetrieveAPIView[Team]):
    """A business unit."""

    serializer_class = TeamSerializer
    queryset = Team.objects.all()
    lookup_field = "slug"

    @extend_schema(summary="Change a team", request=TeamChangeSerializer, responses=TeamSerializer, tags=["teams"])
    def patch(self, request: Request, slug: str) -> Response:
        sent = TeamChangeSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        team = self.get_object()
        with as_problems():
            changed = change_team(
                Actor.of_request(request), team, stated_team(sent.validated_data, team), sent.validated_data["reason"]
            )
        return Response(TeamSerializer(changed).data)

    @extend_schema(
        summary="Delete a team",
        description="Only one that nothing belongs to; 409 says what does.",
        request=WorkflowReasonSerializer,
        responses={204: None},
        tags=["teams"],
    )
    def delete(self, request: Request, slug: str) -> Response:
        sent = WorkflowReasonSerializer(data=request.data or {})
        sent.is_valid(raise_exception=True)
        with as_problems():
            delete_team(Actor.of_request(request), self.get_object(), sent.validated_data["reason"])
        return Response(status=status.HTTP_204_NO_CONTENT)
