"""`GET /api/v1/runs/<run_id>/outcome` and `GET /api/v1/outcomes`: what became of runs. Money is US dollars."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.reachable import fetched
from budgets.access.sent import asked, invalid
from budgets.models import UNASSIGNED, Organisation, Source, Workflow
from usage.costs.api import plain
from usage.coverage.window import PERIODS
from usage.models import OutcomeMessage, Run
from usage.outcomes.listing import SORTS, TABS, Row, chosen_of, names_of, rows_of
from usage.prices.known import known_cost


def money(nano: int | None) -> str | None:
    """US dollars as decimal text; None where nobody says."""
    return None if nano is None else plain(nano)


class RunOutcomeSerializer(serializers.Serializer[Row]):
    """What all that was said of a run comes to, with what its calls cost. Null is what nobody said, never 0."""

    workflow = serializers.CharField(source="slug", help_text="Short name of the one that it counts under.")
    run_id = serializers.CharField(source="run.run_id")
    outcome = serializers.ChoiceField(OutcomeMessage.Kind.choices, allow_null=True, source="outcome_said")
    last_call = serializers.DateTimeField(source="run.last_call", allow_null=True)
    counts_at = serializers.DateTimeField(source="run.counts_at", allow_null=True, help_text="When it counts.")
    calls = serializers.IntegerField(source="run.calls")
    cost = serializers.SerializerMethodField(help_text="US dollars; null where none of its calls has a price.")
    reviewer = serializers.CharField(source="run.reviewer", help_text="The last one named.")
    reviews = serializers.IntegerField(source="run.reviews")
    reviewed_twice = serializers.IntegerField(source="run.duplicates", help_text="Reviews of what was reviewed before.")
    reworks = serializers.IntegerField(source="run.reworks")
    review_minutes = serializers.DecimalField(12, 2, allow_null=True, source="review_minutes_said")
    satisfaction = serializers.DecimalField(
        8, 2, allow_null=True, source="satisfaction_said", help_text="The sum of its `scores`, each from 0 to 5."
    )
    scores = serializers.IntegerField(source="run.scored")
    misrouted = serializers.BooleanField(source="run.misrouted", allow_null=True)
    revenue_usd = serializers.SerializerMethodField()
    minutes_saved = serializers.DecimalField(12, 2, source="run.minutes_saved", allow_null=True)
    cases = serializers.IntegerField(source="run.cases", allow_null=True)
    asset = serializers.CharField(source="run.asset")

    def get_cost(self, row: Row) -> str | None:
        return money(known_cost(row.run))

    def get_revenue_usd(self, row: Row) -> str | None:
        return money(row.run.revenue)


class OutcomeMessageSerializer(serializers.ModelSerializer[OutcomeMessage]):
    """One message about a run. Not `applied`: it waits for the run's calls. With `taken_back_at`: it counts no more."""

    id = serializers.CharField(source="message_id", help_text="The sender's own id; empty where it has none.")
    source = serializers.SerializerMethodField(  # type: ignore[assignment]  # a field's own name, not where it is from
        help_text="Short name of the sender; null: set on a page."
    )
    revenue_usd = serializers.SerializerMethodField()
    applied = serializers.SerializerMethodField()

    class Meta:
        model = OutcomeMessage
        fields = [
            "id", "source", "outcome", "time", "received_at", "reviewer", "review_minutes", "satisfaction", "misrouted",
            "revenue_usd", "minutes_saved", "cases", "asset", "applied", "is_duplicate", "taken_back_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_source(self, row: OutcomeMessage) -> str | None:
        return self.context["sources"].get(row.source_id) if row.source_id is not None else None

    def get_revenue_usd(self, row: OutcomeMessage) -> str | None:
        return money(row.revenue)

    def get_applied(self, row: OutcomeMessage) -> bool:
        return row.state == OutcomeMessage.State.APPLIED


class RunOutcomeWithMessagesSerializer(RunOutcomeSerializer):
    """The same with everything that was said, the newest first."""

    messages = OutcomeMessageSerializer(many=True)


class Reading:
    """Reading needs the scope `read`; whoever is limited to teams sees what is theirs."""

    read_scope = "read"
    narrowed = True


class RunOutcome(Reading, APIView):
    """One run, with everything that was said of it."""

    @extend_schema(
        operation_id="outcome_of_run",
        summary="What became of a run",
        description="The run is that of the workflow, as sending names it. One whose calls have not come yet has no"
        " outcome, and its messages wait.",
        parameters=[OpenApiParameter("workflow", str, description="Short name. Missing: `unassigned`.")],
        responses={
            200: RunOutcomeWithMessagesSerializer,
            404: OpenApiResponse(description="There is no such run in reach, and nothing was said of one."),
        },
        tags=["outcomes"],
    )
    def get(self, request: Request, run_id: str) -> Response:
        slug = request.query_params.get("workflow", "") or UNASSIGNED
        if "\0" in run_id + slug:
            raise Http404
        told = fetched(Workflow.objects.select_related("merged_into"), request.user, slug=slug)
        counts_as = told.merged_into or told
        names = list(Workflow.objects.counted_as(counts_as.slug).values_list("pk", flat=True))
        run = _run(names, told.pk, run_id)
        messages = OutcomeMessage.objects.filter(workflow_id__in=names, run_id=run_id).order_by("-time", "-pk")
        if not messages and run.pk is None:
            raise Http404
        sources = dict(Source.objects.filter(pk__in={one.source_id for one in messages}).values_list("pk", "slug"))
        row = Row(run, counts_as.slug, counts_as.name)
        said = OutcomeMessageSerializer(messages, many=True, context={"sources": sources}).data
        return Response(RunOutcomeSerializer(row).data | {"messages": said})


def _run(names: Sequence[int], first: int, run_id: str) -> Run:
    """The run under any name of its workflow: that which messages were applied to, or under `first`; one without
    calls where there is none.
    """
    found = Run.objects.filter(workflow_id__in=names, run_id=run_id, calls__gt=0)
    ordered = sorted(found, key=lambda one: (one.outcome == Run.Outcome.OPEN, one.workflow_id != first, one.pk))
    return ordered[0] if ordered else Run(workflow_id=first, run_id=run_id)


class OutcomeList(Reading, generics.ListAPIView[Any]):
    """Runs, with and without an outcome: those of the page and its CSV."""

    serializer_class = RunOutcomeSerializer
    queryset = Run.objects.none()

    @extend_schema(
        operation_id="outcomes",
        summary="What became of runs",
        description="Runs of the days asked for, the dearest first; those of the page and its CSV.",
        parameters=[
            OpenApiParameter("period", str, enum=list(PERIODS), description="this-month by default."),
            OpenApiParameter("from", str, description="The first day, with `period=custom`: 2026-11-01."),
            OpenApiParameter("to", str, description="The last day, included."),
            OpenApiParameter("outcome", str, enum=[key for key in TABS if key], description="`none`: without one; "
                             "`twice`: reviewed twice."),
            OpenApiParameter("workflow", str, description="Short name."),
            OpenApiParameter("q", str, description="Part of the run's id."),
            OpenApiParameter("sort", str, enum=list(SORTS)),
        ],
        tags=["outcomes"],
    )  # fmt: skip
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Run]:
        for name, choices in (("outcome", TABS), ("sort", SORTS), ("period", PERIODS)):
            asked(self.request, name, [key for key in choices if key])
        given = self.request.query_params
        found = chosen_of(given.dict(), Organisation.get(), self.request.user, timezone.now())
        if found.window.note:
            raise invalid({"from": found.window.note.removesuffix(" This month is shown.")})
        if given.get("workflow") and found.workflow is None:
            raise invalid({"workflow": "There is no workflow with this short name."})
        return found.runs()

    def paginate_queryset(self, queryset: Any) -> Any:
        """Runs with their workflows' names, in two statements for a page beside its count."""
        runs: list[Run] = list(super().paginate_queryset(queryset) or [])
        return list(rows_of(runs, names_of({run.workflow_id for run in runs})))
