"""`POST /api/v1/policy-bundle/status`, and the fleet as a list."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.keys import KeyHolder
from budgets.access.problems import Problem
from budgets.access.sent import body
from routing.fleet.listing import state_of
from routing.fleet.report import MOST_PAIR, Report, newest_revision, take_report
from routing.models import FleetClient

NUMBER = {"min_value": 0, "max_value": MOST_PAIR, "required": False, "allow_null": True, "default": None}
TEXT = {"max_length": 128, "required": False, "allow_blank": True, "default": ""}


class StatusReportSerializer(serializers.Serializer[Any]):
    """What a client runs. `client` tells its processes apart; `ack`: it obeys `epoch`:`revision`; `nack`: it refused
    `refused_epoch`:`refused_revision`, with `error`, and goes on with what it had, if anything."""

    client = serializers.CharField(max_length=128)
    software = serializers.CharField(**TEXT)  # type: ignore[arg-type]
    answer = serializers.ChoiceField(choices=FleetClient.Answer.choices)
    epoch = serializers.IntegerField(**NUMBER)  # type: ignore[arg-type]
    revision = serializers.IntegerField(**NUMBER)  # type: ignore[arg-type]
    refused_epoch = serializers.IntegerField(**NUMBER)  # type: ignore[arg-type]
    refused_revision = serializers.IntegerField(**NUMBER)  # type: ignore[arg-type]
    error = serializers.CharField(**{**TEXT, "max_length": 500})  # type: ignore[arg-type]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["epoch"] is None) != (attrs["revision"] is None):
            raise serializers.ValidationError({"revision": "Give epoch and revision together, or neither."})
        if attrs["answer"] == FleetClient.Answer.ACK and attrs["revision"] is None:
            raise serializers.ValidationError({"revision": "Say which bundle is obeyed: epoch and revision."})
        if attrs["answer"] == FleetClient.Answer.NACK and not attrs["error"]:
            raise serializers.ValidationError({"error": "Say why it was refused."})
        return attrs


class NewestSerializer(serializers.Serializer[Any]):
    """The newest bundle; null before there is any."""

    epoch = serializers.IntegerField(allow_null=True)
    revision = serializers.IntegerField(allow_null=True)


class FleetClientSerializer(serializers.ModelSerializer[FleetClient]):
    """One client. `state`: current, behind, refused, silent (no word for ten minutes)."""

    key: Any = serializers.CharField(source="key.name")
    state = serializers.SerializerMethodField()

    class Meta:
        model = FleetClient
        fields = [
            "key", "client", "software", "state", "epoch", "revision", "since", "answer", "refused_epoch",
            "refused_revision", "error", "error_at", "seen_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_state(self, row: FleetClient) -> str:
        return state_of(row, self.context["newest"], self.context["now"])


class StatusView(APIView):
    """A gateway's own word, so only keys send it."""

    required_scope = "bundle"

    @extend_schema(
        summary="Say which bundle a client runs",
        description="Sent after each new bundle and every minute or so; the answer names the newest. Pages show it.",
        tags=["bundle"],
        request=StatusReportSerializer,
        responses=NewestSerializer,
    )
    def post(self, request: Request) -> Response:
        sender: Any = request.user
        if not isinstance(sender, KeyHolder):
            raise Problem(403, "forbidden", "Not allowed", "Clients report with their key, people do not.")
        take_report(sender.key_id, Report(**body(StatusReportSerializer, request)), timezone.now())
        epoch, revision = newest_revision() or (None, None)
        return Response({"epoch": epoch, "revision": revision})


@extend_schema_view(get=extend_schema(summary="List the clients that report which bundle they run", tags=["bundle"]))
class FleetView(generics.ListAPIView[FleetClient]):
    required_scope = "admin"
    read_scope = "read"
    queryset = FleetClient.objects.with_behind().select_related("key").order_by("-seen_at", "-pk")
    serializer_class = FleetClientSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "newest": newest_revision(), "now": timezone.now()}
