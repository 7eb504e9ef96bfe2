"""Planned activity over HTTP: list, make, change, remove, and when it happens."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.drf import InReach
from budgets.access.sent import Edited, EditedList, EditedRow, asked, named
from budgets.activities import edit
from budgets.activities.expand import occurrences
from budgets.activities.values import FIRST_DAY, LAST_DAY, ActivityValues
from budgets.audit.record import Actor
from budgets.models import Organisation, PlannedActivity, Team, Workflow

LONGEST = timedelta(days=400)


class ActivitySerializer(serializers.ModelSerializer[PlannedActivity]):
    """What explains more or less use than usual. Without a team and a workflow it concerns everybody."""

    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    workflow = serializers.CharField(source="workflow.slug", allow_null=True, default=None)

    class Meta:
        model = PlannedActivity
        fields = [
            "id", "name", "kind", "team", "workflow", "starts_at", "ends_at", "is_all_day", "recurrence",
            "skipped_days", "expects", "factor", "note", "uid", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class ActivityValuesSerializer(serializers.Serializer[Any]):
    """What is stated about an activity. What a field may be is said by `budgets.activities.values`, for pages too."""

    name = serializers.CharField(max_length=200)
    kind = serializers.ChoiceField(PlannedActivity.Kind.choices, default=PlannedActivity.Kind.CAMPAIGN.value)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="First instant after it.")
    is_all_day = serializers.BooleanField(
        default=True, help_text="Then both are midnights in the organisation's time zone."
    )
    recurrence = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default="", help_text="RRULE by days, weeks, months or years."
    )
    skipped_days = serializers.ListField(
        child=serializers.CharField(max_length=10), required=False, default=list, max_length=400
    )
    expects = serializers.ChoiceField(PlannedActivity.Expects.choices, default=PlannedActivity.Expects.MORE.value)
    factor = serializers.DecimalField(max_digits=6, decimal_places=2, required=False, allow_null=True, default=None)
    team = serializers.CharField(max_length=128, required=False, allow_null=True, default=None, help_text="Short name.")
    workflow = serializers.CharField(
        max_length=128, required=False, allow_null=True, default=None, help_text="Short name."
    )
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    uid = serializers.CharField(max_length=255, required=False, allow_blank=True, default="")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Kept in the history.")


def stated(sent: dict[str, Any], before: ActivityValues | None = None) -> ActivityValues:
    """Validated data as values, over those `before` where only a part was sent."""
    values = {name: sent[name] for name in ActivityValues.__slots__ if name in sent}
    if "skipped_days" in values:
        values["skipped_days"] = tuple(values["skipped_days"])
    for name, model in (("team", Team), ("workflow", Workflow)):
        if name in sent:
            values[f"{name}_id"] = named(name, model, sent[name])
    known = {name: getattr(before, name) for name in ActivityValues.__slots__} if before else {}
    found = ActivityValues(**(known | values))
    _refuse_half_days(found)
    return found


def _refuse_half_days(values: ActivityValues) -> None:
    zone = Organisation.get().zone
    for name in ("starts_at", "ends_at"):
        local = getattr(values, name).astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        if values.is_all_day and midnight.astimezone(local.tzinfo) != local:
            raise serializers.ValidationError(
                {name: [f"An all-day activity begins and ends at midnight in {zone.key}; or send is_all_day false."]}
            )


class Planned(InReach, Edited):
    permission = "budgets.change_plannedactivity"
    values = ActivityValuesSerializer
    errors = (edit.InvalidActivity, edit.RefusedActivity)


@extend_schema_view(
    get=extend_schema(
        summary="List planned activity",
        description="By start; what repeats once, with its rule.",
        parameters=[OpenApiParameter("team", str), OpenApiParameter("kind", str, enum=PlannedActivity.Kind.values)],
        tags=["activities"],
    ),
    post=extend_schema(
        summary="Plan an activity",
        request=ActivityValuesSerializer,
        responses={201: ActivitySerializer},
        tags=["activities"],
    ),
)
class ActivityListView(Planned, EditedList[PlannedActivity]):
    """The whole calendar."""

    serializer_class = ActivitySerializer
    queryset = PlannedActivity.objects.select_related("team", "workflow").order_by("starts_at", "pk")

    def get_queryset(self) -> QuerySet[PlannedActivity]:
        rows, kind = super().get_queryset(), asked(self.request, "kind", PlannedActivity.Kind.values)
        team = self.request.query_params.get("team", "")
        rows = rows.filter(kind=kind) if kind else rows
        return rows.filter(team__slug=team.replace("\0", "")) if team else rows

    def make(self, actor: Actor, sent: dict[str, Any], reason: str) -> PlannedActivity:
        return edit.create_activity(actor, stated(sent), reason)


@extend_schema_view(
    get=extend_schema(summary="One planned activity", tags=["activities"]),
    patch=extend_schema(
        summary="Change a planned activity",
        description="Only what is sent changes.",
        request=ActivityValuesSerializer(partial=True),
        responses=ActivitySerializer,
        tags=["activities"],
    ),
    delete=extend_schema(summary="Remove a planned activity", responses={204: None}, tags=["activities"]),
)
class ActivityView(Planned, EditedRow[PlannedActivity]):
    """One row of the calendar."""

    serializer_class = ActivitySerializer
    queryset = PlannedActivity.objects.select_related("team", "workflow")

    def change(self, actor: Actor, row: PlannedActivity, sent: dict[str, Any], reason: str) -> PlannedActivity:
        return edit.change_activity(actor, row, stated(sent, ActivityValues.of_row(row)), reason)

    def remove(self, actor: Actor, row: PlannedActivity) -> None:
        edit.remove_activity(actor, row)


class WhenSerializer(serializers.Serializer[Any]):
    """Which days, both included, 400 at most."""

    first = serializers.DateField()
    last = serializers.DateField()
    team = serializers.CharField(required=False, max_length=128, help_text="Its own and what is for everybody.")


class OccurrenceSerializer(serializers.Serializer[Any]):
    """One time that an activity happens; days are the organisation's."""

    activity = serializers.IntegerField(source="activity.pk")
    name = serializers.CharField(source="activity.name")
    kind = serializers.CharField(source="activity.kind")
    expects = serializers.CharField(source="activity.expects")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    first = serializers.DateField()
    last = serializers.DateField()


class OccurrencesView(Planned, APIView):
    """What repeats, each time."""

    @extend_schema(
        summary="When planned activity happens",
        parameters=[WhenSerializer],
        responses=OccurrenceSerializer(many=True),
        tags=["activities"],
    )
    def get(self, request: Request) -> Response:
        sent = WhenSerializer(data=request.query_params)
        sent.is_valid(raise_exception=True)
        first, last = sent.validated_data["first"], sent.validated_data["last"]
        if not FIRST_DAY <= first <= last <= LAST_DAY or last - first > LONGEST:
            raise serializers.ValidationError({"last": ["Ask for 1 to 400 days between 2000 and 2100."]})
        found = occurrences(first, last, sent.validated_data.get("team"), who=request.user)
        return Response(OccurrenceSerializer(found, many=True).data)
