"""Unusual spend over HTTP: list, one, and saying how it stands."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.reachable import fetched, reachable
from budgets.access.roles import VIEW, may
from budgets.access.sent import asked, body, invalid
from budgets.audit.record import Actor
from budgets.models import Team
from reports.models import Finding
from reports.unusual import handling
from reports.unusual.handling import HANDLE
from reports.unusual.listing import KINDS, STATES, Chosen
from reports.unusual.reaching import findings_for
from reports.unusual.scopes import epoch, instant
from reports.unusual.wording import title
from routing.alerts.rule_api import person
from routing.approvals.api import dollars


class FindingPointSerializer(serializers.Serializer[Any]):
    """One grain of a finding. Money in US dollars as decimal text; null: no usual is known."""

    at = serializers.DateTimeField(help_text="Its first instant.")
    spent = serializers.CharField()
    usual = serializers.CharField(allow_null=True)
    usual_from = serializers.CharField(allow_null=True)
    usual_to = serializers.CharField(allow_null=True)


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """One stretch of unusual spend. Money in US dollars as decimal text; `above_usual` is `spent` − `usual`, both null
    where no usual is known. `ended_at` null: it goes on. `points`: each quarter hour, hour or day (`grain`, seconds).
    """

    title = serializers.SerializerMethodField()
    workflow = serializers.CharField(source="workflow.slug", allow_null=True, default=None)
    team = serializers.CharField(source="team.slug", allow_null=True, default=None)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    spent = serializers.SerializerMethodField()
    usual = serializers.SerializerMethodField()
    above_usual = serializers.SerializerMethodField()
    points = serializers.SerializerMethodField()
    done = serializers.SerializerMethodField(
        help_text="What an alert rule had done about it: `paused` its workflow, `stopped` its runs, `capped` (that, "
        "and limits for later runs), or empty."
    )
    runs = serializers.ListField(
        child=serializers.CharField(), help_text="The one or few runs that most of it comes from; empty: many, or none."
    )

    class Meta:
        model = Finding
        fields = [
            "id", "title", "kind", "dimension", "name", "subject", "workflow", "team", "measures", "grain", "since",
            "until", "found_at", "ended_at", "spent", "usual", "above_usual", "cause", "state", "taught", "planned",
            "owner", "done", "runs", "points",
        ]  # fmt: skip
        read_only_fields = fields

    def get_title(self, row: Finding) -> str:
        return title(row)

    def get_spent(self, row: Finding) -> str:
        return dollars(row.actual) or "0"

    def get_usual(self, row: Finding) -> str | None:
        return dollars(row.expected)

    def get_above_usual(self, row: Finding) -> str | None:
        return dollars(row.amount)

    def get_done(self, row: Finding) -> str:
        return "" if row.acted_undone else row.acted

    @extend_schema_field(FindingPointSerializer(many=True))
    def get_points(self, row: Finding) -> list[dict[str, Any]]:
        since = epoch(row.since)
        return [
            {
                "at": instant(at).isoformat(),
                "spent": dollars(actual),
                "usual": dollars(expected),
                "usual_from": dollars(low),
                "usual_to": dollars(high),
            }
            for at, actual, expected, low, high in row.points
            if at >= since
        ]


class FindingStateSerializer(serializers.Serializer[Any]):
    """How it stands. `expected` teaches: the same at the same hours of the week is quiet. `owner` is a user name; null:
    nobody; not sent: as it is."""

    state = serializers.ChoiceField(choices=list(STATES), required=False)
    owner = serializers.CharField(max_length=150, required=False, allow_null=True)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class Found:
    """Reading needs the scope `read`, handling `admin`, or the right to handle alerts, of the finding's team."""

    required_scope = "admin"
    read_scope = "read"
    permission = HANDLE
    narrowed = True


@extend_schema_view(
    get=extend_schema(
        summary="List unusual spend",
        description="What is in reach, the newest first.",
        parameters=[
            OpenApiParameter("state", str, enum=list(STATES)),
            OpenApiParameter("kind", str, enum=list(KINDS)),
            OpenApiParameter("team", str),
            OpenApiParameter("q", str, description="Words of the name or of the likely cause."),
        ],
        tags=["unusual spend"],
    )
)
class FindingListView(Found, generics.ListAPIView[Finding]):
    """All unusual spend in reach."""

    serializer_class = FindingSerializer
    queryset = Finding.objects.none()

    def get_queryset(self) -> QuerySet[Finding]:
        given = self.request.query_params
        team = given.get("team", "").replace("\0", "")[:128]
        if team and not reachable(Team, self.request.user).filter(slug=team).exists():
            raise invalid({"team": f"There is no team with the short name “{team}”."})
        wanted = Chosen(
            asked(self.request, "state", list(STATES)),
            asked(self.request, "kind", list(KINDS)),
            team,
            given.get("q", "").replace("\0", "").strip()[:100],
        )
        return wanted.of(findings_for(self.request.user), self.request.user)


@extend_schema_view(get=extend_schema(summary="One stretch of unusual spend", tags=["unusual spend"]))
class FindingView(Found, generics.RetrieveAPIView[Finding]):
    """One finding."""

    serializer_class = FindingSerializer
    queryset = Finding.objects.none()

    def get_queryset(self) -> QuerySet[Finding]:
        return findings_for(self.request.user)


class FindingStateView(Found, APIView):
    """POST says how it stands and who sees to it."""

    @extend_schema(
        summary="Say how unusual spend stands",
        request=FindingStateSerializer,
        responses=FindingSerializer,
        tags=["unusual spend"],
    )
    def post(self, request: Request, pk: int) -> Response:
        finding = fetched(findings_for(request.user), request.user, HANDLE, pk=pk)
        sent, actor = body(FindingStateSerializer, request), Actor.of_request(request)
        if "state" not in sent and "owner" not in sent:
            raise invalid({"state": f"Say how it stands ({', '.join(STATES)}), or whose it is."})
        if "owner" in sent:
            owner_pk = person(sent["owner"])
            owner = User.objects.get(pk=owner_pk) if owner_pk else None
            if owner is not None and not may(owner, VIEW, finding):
                raise invalid({"owner": "This person cannot see it."})
            handling.assign(actor, finding, owner)
        if "state" in sent:
            handling.set_state(actor, finding, sent["state"], sent.get("reason", ""))
        return Response(FindingSerializer(findings_for(request.user).get(pk=pk)).data)
