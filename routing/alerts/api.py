"""Alerts over HTTP: list, one, and handling them. They are over by themselves; nobody closes one by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.problems import Problem
from budgets.access.reachable import fetched, reachable
from budgets.access.sent import asked, body, invalid
from budgets.alerts import handle
from budgets.audit.record import Actor
from budgets.models import Alert
from routing.alerts.listing import RELATED, STATES, in_state, is_number, rule_name, rules_known, state_of, words_in
from routing.alerts.reaching import HANDLE
from routing.alerts.rule_api import person
from routing.approvals.api import dollars


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """One alert. `amount` in US dollars; `facts` are label → value in words; `path` the page that shows more."""

    state = serializers.SerializerMethodField()
    rule_name = serializers.SerializerMethodField(help_text="Of a rule out of reach, what kind of thing it tells.")
    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    acknowledged_by = serializers.CharField(source="acknowledged_by.username", allow_null=True, default=None)
    amount = serializers.SerializerMethodField()
    facts = serializers.SerializerMethodField()
    path = serializers.SerializerMethodField()

    class Meta:
        model = Alert
        fields = [
            "id", "rule", "rule_name", "title", "amount", "facts", "path", "team", "state", "happened_at", "raised_at",
            "muted", "owner", "acknowledged_at", "acknowledged_by", "snoozed_until", "resolved_at", "resolution",
        ]  # fmt: skip
        read_only_fields = fields

    def get_rule_name(self, row: Alert) -> str:
        return rule_name(row, self.context["rules"])

    def get_state(self, row: Alert) -> str:
        return state_of(row, timezone.now())

    def get_amount(self, row: Alert) -> str | None:
        return dollars(row.amount)

    def get_facts(self, row: Alert) -> dict[str, str]:
        found = row.facts.get("facts")
        return dict(found) if isinstance(found, dict) else {}

    def get_path(self, row: Alert) -> str:
        return str(row.facts.get("path") or "")


class AlertOwnerSerializer(serializers.Serializer[Any]):
    """Who sees to it: a user name; null: nobody. Not sent: whoever asks, if that is a person."""

    owner = serializers.CharField(max_length=150, required=False, allow_null=True)


class AlertSnoozeSerializer(serializers.Serializer[Any]):
    """When it is told again, if it still stands: within the next 90 days. Null: it is no longer snoozed."""

    until = serializers.DateTimeField(allow_null=True)


class Alerted:
    """Reading needs the scope `read`, handling `admin`, or the right to handle alerts, of the alert's team."""

    required_scope = "admin"
    read_scope = "read"
    permission = HANDLE
    narrowed = True


def alerts_for(who: Any) -> QuerySet[Alert]:
    return reachable(Alert, who).select_related(*RELATED).order_by("-raised_at", "-pk")


@contextmanager
def as_problems() -> Iterator[None]:
    """What cannot be done with an alert, as a problem document."""
    try:
        yield
    except handle.InvalidSnooze as error:
        raise invalid({"until": str(error)}) from error
    except handle.RefusedHandling as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


@extend_schema_view(
    get=extend_schema(
        summary="List alerts",
        description="Those in reach, the newest first.",
        parameters=[
            OpenApiParameter("state", str, enum=list(STATES)),
            OpenApiParameter("rule", int),
            OpenApiParameter("team", str),
            OpenApiParameter("owner", str, description="User name."),
            OpenApiParameter("q", str, description="Words of the title or of the rule's name."),
        ],
        tags=["alerts"],
    )
)
class AlertListView(Alerted, generics.ListAPIView[Alert]):
    """All alerts in reach."""

    serializer_class = AlertSerializer
    queryset = Alert.objects.none()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "rules": rules_known(self.request.user)}

    def get_queryset(self) -> QuerySet[Alert]:
        rows, given = alerts_for(self.request.user), self.request.query_params
        if state := asked(self.request, "state", list(STATES)):
            rows = rows.filter(in_state(state, timezone.now()))
        if rule := given.get("rule", ""):
            if not is_number(rule):
                raise invalid({"rule": "The number of a rule."})
            rows = rows.filter(rule=int(rule))
        for name, path in (("team", "team__slug"), ("owner", "owner__username")):
            if wanted := given.get(name, "").replace("\0", ""):
                rows = rows.filter(**{path: wanted})
        if words := given.get("q", "").replace("\0", "").strip()[:100]:
            rows = rows.filter(words_in(words, self.request.user))
        return rows


@extend_schema_view(get=extend_schema(summary="One alert", tags=["alerts"]))
class AlertView(Alerted, generics.RetrieveAPIView[Alert]):
    """One alert."""

    serializer_class = AlertSerializer
    queryset = Alert.objects.none()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "rules": rules_known(self.request.user)}

    def get_queryset(self) -> QuerySet[Alert]:
        return alerts_for(self.request.user)


class Handling(Alerted, APIView):
    """What is done with one alert."""

    def alert(self, pk: int) -> Alert:
        """One that the caller may handle: 404 outside their reach, 403 without the right."""
        return fetched(alerts_for(self.request.user), self.request.user, HANDLE, pk=pk)

    def shown(self, pk: int) -> Response:
        row, rules = alerts_for(self.request.user).get(pk=pk), rules_known(self.request.user)
        return Response(AlertSerializer(row, context={"rules": rules}).data)


class AcknowledgeView(Handling):
    """POST acknowledges."""

    @extend_schema(
        summary="Acknowledge an alert",
        description="Says that somebody has seen it. Whoever was first stays named.",
        request=None,
        responses=AlertSerializer,
        tags=["alerts"],
    )
    def post(self, request: Request, pk: int) -> Response:
        handle.acknowledge(Actor.of_request(request), self.alert(pk))
        return self.shown(pk)


class OwnView(Handling):
    """POST says whose it is."""

    @extend_schema(
        summary="Say who sees to an alert", request=AlertOwnerSerializer, responses=AlertSerializer, tags=["alerts"]
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        alert, sent, actor = self.alert(pk), body(AlertOwnerSerializer, request), Actor.of_request(request)
        if "owner" not in sent and actor.user is None:
            raise invalid({"owner": "A key is nobody. Name the person who sees to it."})
        pk_of = person(sent["owner"]) if "owner" in sent else actor.user.pk if actor.user else None
        handle.own(actor, alert, User.objects.get(pk=pk_of) if pk_of else None)
        return self.shown(pk)


class SnoozeView(Handling):
    """POST snoozes."""

    @extend_schema(summary="Snooze an alert", request=AlertSnoozeSerializer, responses=AlertSerializer, tags=["alerts"])
    def post(self, request: Request, pk: int) -> Response:
        alert, sent, actor = self.alert(pk), body(AlertSnoozeSerializer, request), Actor.of_request(request)
        with as_problems():
            if sent["until"] is None:
                handle.unsnooze(actor, alert)
            else:
                handle.snooze(actor, alert, sent["until"])
        return self.shown(pk)
