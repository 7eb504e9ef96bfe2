"""Replays over HTTP: ask for one, look at it, call it off."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.sent import body, invalid
from budgets.audit.record import Actor
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Organisation, Workflow
from routing.approvals.api import dollars
from routing.models import PolicyReplay, PolicyVersion
from routing.replay import showing
from routing.replay.begin import begin
from routing.replay.forms import last_month
from routing.replay.result import Result, Sides, Tally, read
from routing.replay.take import cancel
from usage.prices.pages.days import FIRST, LAST


class TallySerializer(serializers.Serializer[Tally]):
    """Calls by what became of them; money in US dollars, of calls whose cost is known.

    `calls` = `made` + `blocked` + `approval` + `shorten`. `cost_of_calls_not_made` is what those not made really cost.
    """

    calls = serializers.IntegerField()
    made = serializers.IntegerField()
    cost = serializers.SerializerMethodField()
    unpriced = serializers.IntegerField(help_text="Made, price not known.")
    unmeasured = serializers.IntegerField(help_text="Made, use not measured.")
    blocked = serializers.IntegerField()
    approval = serializers.IntegerField(help_text="Somebody would have to allow it.")
    shorten = serializers.IntegerField(help_text="The caller would have to send less.")
    review = serializers.IntegerField(help_text="Made, and somebody looks at the result.")
    lowered = serializers.IntegerField(help_text="Made by a cheaper tier than asked for.")
    cut = serializers.IntegerField(help_text="Made; put out more than would be allowed.")
    moved = serializers.IntegerField(help_text="Made by another model than it was.")
    unchanged = serializers.IntegerField()
    cost_of_calls_not_made = serializers.SerializerMethodField()

    def get_cost(self, row: Tally) -> str:
        return dollars(row.cost) or "0"

    def get_cost_of_calls_not_made(self, row: Tally) -> str:
        return dollars(row.spared) or "0"


class HappenedSerializer(serializers.Serializer[Tally]):
    """What is known of the calls as they happened."""

    calls = serializers.IntegerField()
    made = serializers.IntegerField()
    cost = serializers.SerializerMethodField()
    unpriced = serializers.IntegerField()
    unmeasured = serializers.IntegerField()
    blocked = serializers.IntegerField()

    def get_cost(self, row: Tally) -> str:
        return dollars(row.cost) or "0"


class SidesSerializer(serializers.Serializer[Any]):
    """The same calls as they happened, by the policy in force and by the draft."""

    happened = HappenedSerializer()
    live = TallySerializer()
    draft = TallySerializer()
    changed = serializers.IntegerField(help_text="Decided differently by the two policies.")
    compared = serializers.IntegerField(help_text="Calls whose cost is known by both policies.")
    difference = serializers.SerializerMethodField(help_text="How much more the draft costs, of those compared.")

    def get_difference(self, row: Sides) -> str:
        return dollars(row.difference) or "0"


class RowSerializer(serializers.Serializer[Any]):
    """`key`: a workflow's short name; a tier's number, `0` for none, `not-made` for calls not made."""

    key = serializers.CharField()
    name = serializers.CharField()
    sides = SidesSerializer()


class SaidSerializer(serializers.Serializer[Any]):
    """In how many calls a reason was given, or a rule fitted."""

    key = serializers.CharField()
    words = serializers.CharField()
    live = serializers.IntegerField()
    draft = serializers.IntegerField()


class ResultSerializer(serializers.Serializer[Any]):
    """All figures. Of a sample they are the sample's: `share` of 10,000 runs are in it."""

    live_version = serializers.IntegerField(source="live_number")
    share = serializers.IntegerField()
    runs = serializers.IntegerField()
    total = SidesSerializer()
    workflows = serializers.SerializerMethodField()
    tiers = serializers.SerializerMethodField()
    reasons = serializers.SerializerMethodField()
    rules = serializers.SerializerMethodField()

    @extend_schema_field(RowSerializer(many=True))
    def get_workflows(self, found: Result) -> Any:
        return RowSerializer(showing.by_workflow(found, {}), many=True).data

    @extend_schema_field(RowSerializer(many=True))
    def get_tiers(self, found: Result) -> Any:
        return RowSerializer(showing.by_tier(found), many=True).data

    @extend_schema_field(SaidSerializer(many=True))
    def get_reasons(self, found: Result) -> Any:
        return SaidSerializer(showing.by_reason(found), many=True).data

    @extend_schema_field(SaidSerializer(many=True))
    def get_rules(self, found: Result) -> Any:
        return SaidSerializer(showing.by_rule(found), many=True).data


class ReplaySerializer(serializers.ModelSerializer[PolicyReplay]):
    """A draft tried on the calls of [starts_at, ends_at). `done` of `taken` are decided; fewer than `calls`: a sample.

    `is_current`: the draft was not changed since.
    """

    draft = serializers.IntegerField(source="version_id")
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = PolicyReplay
        fields = [
            "id", "draft", "edit_version", "is_current", "starts_at", "ends_at", "workflow", "state", "calls", "taken",
            "done", "problem", "created_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_is_current(self, row: PolicyReplay) -> bool:
        return row.edit_version == row.version.edit_version


class ReplayResultSerializer(ReplaySerializer):
    """With its figures; `result` is null until it is done."""

    result = serializers.SerializerMethodField()

    class Meta(ReplaySerializer.Meta):
        fields = [*ReplaySerializer.Meta.fields, "result"]
        read_only_fields = fields

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, row: PolicyReplay) -> Any:
        return None if row.result is None else ResultSerializer(read(row.result)).data


class AskPreviewSerializer(serializers.Serializer[Any]):
    """Which calls: of these days of the organisation's zone, both included; last month where none are stated."""

    first_day = serializers.DateField(required=False)
    last_day = serializers.DateField(required=False)
    workflow = serializers.CharField(required=False, allow_blank=True, max_length=128, default="")


class Replayed:
    """Reading needs the scope `read`, asking and calling off `admin`, or the right to change the policy."""

    required_scope = "admin"
    read_scope = "read"
    permission = "routing.change_policy"


@extend_schema_view(
    get=extend_schema(
        summary="List previews of a draft",
        description="The newest first, without their figures.",
        tags=["policy"],
    )
)
class ReplayListView(Replayed, generics.ListCreateAPIView[PolicyReplay]):
    """Previews of one draft."""

    serializer_class = ReplaySerializer
    queryset = PolicyReplay.objects.none()

    def get_queryset(self) -> Any:
        version = get_object_or_404(PolicyVersion.objects.only("pk"), pk=self.kwargs["draft"])
        rows = PolicyReplay.objects.filter(version=version).select_related("version")
        return rows.defer("result", "version__document").order_by("-pk")

    @extend_schema(
        summary="Preview a draft on past calls",
        description="Decides the calls of some days anew, in the background, by the policy in force and by the draft."
        " Ask for the preview until its `state` is no longer `waiting` or `running`. The same asked for twice while it"
        " waits is one (200).",
        request=AskPreviewSerializer,
        responses={202: ReplayResultSerializer, 200: ReplayResultSerializer},
        tags=["policy"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(AskPreviewSerializer, request)
        zone = Organisation.get().zone
        first, last = last_month(day_of(timezone.now(), zone))
        first, last = sent.get("first_day", first), sent.get("last_day", last)
        for name, value in (("first_day", first), ("last_day", last)):
            if not FIRST <= value <= LAST:
                raise invalid({name: f"Choose a day from {FIRST.year} to {LAST.year}."})
        workflow = known_workflow(sent["workflow"])
        starts_at, ends_at = day_starts_at(first, zone), day_starts_at(last + DAY, zone)
        replay, new = begin(Actor.of_request(request), self.kwargs["draft"], starts_at, ends_at, workflow)
        code = status.HTTP_202_ACCEPTED if new else status.HTTP_200_OK
        return Response(ReplayResultSerializer(replay).data, status=code)


def known_workflow(slug: str) -> str:
    """The short name under which its calls count; 422 where there is none such."""
    if not slug:
        return ""
    found = Workflow.objects.select_related("merged_into").filter(slug=slug).first()
    if found is None:
        raise invalid({"workflow": "There is no workflow with this short name."})
    return (found.merged_into or found).slug


@extend_schema_view(get=extend_schema(summary="One preview, with its figures", tags=["policy"]))
class ReplayView(Replayed, generics.RetrieveAPIView[PolicyReplay]):
    """One preview."""

    serializer_class = ReplayResultSerializer
    queryset = PolicyReplay.objects.none()

    def get_queryset(self) -> Any:
        rows = PolicyReplay.objects.filter(version=self.kwargs["draft"]).select_related("version")
        return rows.defer("version__document")


class ReplayStopView(Replayed, generics.GenericAPIView[PolicyReplay]):
    """Call one off."""

    serializer_class = ReplayResultSerializer
    queryset = PolicyReplay.objects.none()

    @extend_schema(
        summary="Call a preview off",
        description="409 where it has ended. Calling it off again changes nothing.",
        request=None,
        responses=ReplayResultSerializer,
        tags=["policy"],
    )
    def post(self, request: Request, draft: int, pk: int) -> Response:
        get_object_or_404(PolicyReplay.objects.only("pk"), pk=pk, version=draft)
        return Response(ReplayResultSerializer(cancel(Actor.of_request(request), pk)).data)
