"""`POST /api/v1/runs/<run_id>/stop` and `…/go-on`: the switch of one run over HTTP."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.access.problems import Problem
from budgets.access.sent import body, invalid
from budgets.audit.record import Actor
from budgets.models import StoppedRun, Workflow
from budgets.workflows.edit import RefusedEdit
from budgets.workflows.stopping import stop_run, stops_of
from reports.unusual.acting import CHANGE_WORKFLOW, let_go_on
from reports.unusual.stopping import workflow_of


class RunReasonSerializer(serializers.Serializer[Any]):
    """Why: callers whose calls are blocked are told, and the history keeps it."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class RunSwitchSerializer(serializers.Serializer[Any]):
    """A run's switch. `since` and `until` are of the last time that it was stopped; null: it never was."""

    workflow = serializers.CharField(help_text="Short name of the one that it counts under.")
    run_id = serializers.CharField()
    stopped = serializers.BooleanField(help_text="Whether its calls are blocked now.")
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    finding = serializers.IntegerField(allow_null=True, help_text="The unusual spend that it was stopped for.")


def described(summary: str, description: str) -> Callable[[Any], Any]:
    """The schema of both."""
    return extend_schema(
        summary=summary,
        description=description,
        parameters=[OpenApiParameter("workflow", str, required=True, description="Short name, as its calls have it.")],
        request=RunReasonSerializer,
        responses={
            200: RunSwitchSerializer,
            404: OpenApiResponse(description="There is no such run in reach."),
            409: OpenApiResponse(description="It is no run of a workflow: its calls name none."),
        },
        tags=["runs"],
    )


class Switched:
    """Needs the scope `admin`, or the right to change the run's workflow."""

    required_scope = "admin"
    permission = CHANGE_WORKFLOW
    narrowed = True

    def asked(self, request: Request, run_id: str) -> tuple[Workflow, str]:
        """The workflow that it counts as, and why."""
        if not (slug := request.query_params.get("workflow", "")):
            raise invalid({"workflow": "Say in the address whose run it is, as ?workflow=short-name."})
        reason: str = body(RunReasonSerializer, request)["reason"]
        return workflow_of(request.user, slug, run_id), reason


class RunStopView(Switched, APIView):
    """Stop a run."""

    @described("Stop a run", "Its calls are blocked at once and for 24 hours; other runs go on. Twice is once.")
    def post(self, request: Request, run_id: str) -> Response:
        workflow, reason = self.asked(request, run_id)
        try:
            stop_run(Actor.of_request(request), workflow, run_id, reason)
        except RefusedEdit as error:
            raise Problem(409, "refused", "Not possible now", str(error)) from error
        return shown(workflow, run_id)


class RunGoOnView(Switched, APIView):
    """Let a run go on."""

    @described("Let a stopped run go on", "Its calls pass again, as far as limits and budgets allow.")
    def post(self, request: Request, run_id: str) -> Response:
        workflow, reason = self.asked(request, run_id)
        let_go_on(Actor.of_request(request), workflow, run_id, reason)
        return shown(workflow, run_id)


def shown(workflow: Workflow, run_id: str) -> Response:
    """The switch as it is now."""
    stop: StoppedRun | None = stops_of(workflow, [run_id]).get(run_id)
    said = {
        "workflow": workflow.slug,
        "run_id": run_id,
        "stopped": stop is not None and stop.is_in_force(timezone.now()),
        "since": stop.stopped_at if stop else None,
        "until": stop.ends_at if stop else None,
        "reason": stop.reason if stop else "",
        "finding": stop.finding if stop else None,
    }
    return Response(RunSwitchSerializer(said).data)
