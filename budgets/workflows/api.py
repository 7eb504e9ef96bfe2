"""Workflows and teams over HTTP."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.audit.record import Actor
from budgets.models import Team, Workflow
from budgets.workflows.pause import pause_workflow, resume_workflow
from budgets.workflows.teams import InvalidTeam, TeamValues, create_team


class Configured:
    """Reading needs the scope `read`, changing `admin`."""

    required_scope = "admin"
    read_scope = "read"
    permission = "budgets.change_workflow"


class WorkflowSerializer(serializers.ModelSerializer[Workflow]):
    """A repeatable job that spends tokens. `slug` is what events name."""

    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    is_paused = serializers.SerializerMethodField()

    class Meta:
        model = Workflow
        fields = [
            "slug", "name", "status", "team", "owner", "default_tier", "value_weight", "is_paused", "paused_at",
            "pause_reason", "created_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_is_paused(self, workflow: Workflow) -> bool:
        return workflow.paused_at is not None


class PauseSerializer(serializers.Serializer[Any]):
    """Why; callers whose calls are blocked are told."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class TeamSerializer(serializers.Serializer[Any]):
    """A business unit or cost centre. `slug` is what events and budgets name; empty: made from the name."""

    slug = serializers.CharField(max_length=128, required=False, allow_blank=True, default="")
    name = serializers.CharField(max_length=128)
    cost_centre = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    ledger_code = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")


def with_people() -> QuerySet[Workflow]:
    return Workflow.objects.select_related("team", "owner").order_by("slug")


@extend_schema_view(
    get=extend_schema(
        summary="List workflows",
        description="By short name. Discovered ones were made from events, and nobody has claimed them yet.",
        parameters=[OpenApiParameter("status", str, enum=Workflow.Status.values)],
        tags=["workflows"],
    )
)
class WorkflowListView(Configured, generics.ListAPIView[Workflow]):
    """All workflows."""

    serializer_class = WorkflowSerializer
    queryset = Workflow.objects.all()

    def get_queryset(self) -> QuerySet[Workflow]:
        wanted = self.request.query_params.get("status")
        if wanted and wanted not in Workflow.Status.values:
            raise serializers.ValidationError({"status": [f"Choose from: {', '.join(Workflow.Status.values)}."]})
        return with_people().filter(status=wanted) if wanted else with_people()


class WorkflowPauseView(Configured, generics.GenericAPIView[Workflow]):
    """The kill switch."""

    serializer_class = PauseSerializer
    queryset = Workflow.objects.all()
    lookup_field = "slug"

    @extend_schema(
        summary="Pause a workflow",
        description="Every call of it is blocked at once: the next policy bundle says so.",
        request=PauseSerializer,
        responses=WorkflowSerializer,
        tags=["workflows"],
    )
    def post(self, request: Request, slug: str) -> Response:
        sent = PauseSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        row = pause_workflow(Actor.of_request(request), self.get_object(), sent.validated_data["reason"])
        return Response(WorkflowSerializer(with_people().get(pk=row.pk)).data)


class WorkflowResumeView(Configured, generics.GenericAPIView[Workflow]):
    """The kill switch, back."""

    serializer_class = PauseSerializer
    queryset = Workflow.objects.all()
    lookup_field = "slug"

    @extend_schema(
        summary="Resume a workflow", request=PauseSerializer, responses=WorkflowSerializer, tags=["workflows"]
    )
    def post(self, request: Request, slug: str) -> Response:
        sent = PauseSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        row = resume_workflow(Actor.of_request(request), self.get_object(), sent.validated_data["reason"])
        return Response(WorkflowSerializer(with_people().get(pk=row.pk)).data)


@extend_schema_view(get=extend_schema(summary="List teams", tags=["teams"]))
class TeamListView(Configured, generics.ListCreateAPIView[Team]):
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
        try:
            team = create_team(Actor.of_request(request), TeamValues(**sent.validated_data))
        except InvalidTeam as error:
            raise serializers.ValidationError({name: [said] for name, said in error.problems.items()}) from error
        return Response(TeamSerializer(team).data, status=status.HTTP_201_CREATED)
