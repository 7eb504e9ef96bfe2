"""Workflows over HTTP: list, make, read, change, and one address for each act. What each may do is said by the room."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.drf import InReach
from budgets.access.problems import Problem
from budgets.access.reachable import reachable
from budgets.access.sent import asked, body, invalid
from budgets.audit.record import Actor
from budgets.models import Workflow
from budgets.workflows.claim import claim_workflow, ignore_workflow, take_back
from budgets.workflows.edit import InvalidWorkflow, RefusedEdit, StaleEdit, change_workflow, create_workflow
from budgets.workflows.lifecycle import NotBounded, put_back_to_draft, put_in_production
from budgets.workflows.merge import merge_workflow, unmerge_workflow
from budgets.workflows.pause import pause_workflow, resume_workflow
from budgets.workflows.serializers import (
    MergeSerializer,
    WorkflowChangeSerializer,
    WorkflowDetailSerializer,
    WorkflowReasonSerializer,
    WorkflowSerializer,
    WorkflowValuesSerializer,
    stated,
)
from budgets.workflows.undo import undo_change
from budgets.workflows.values import values_of


class Configured(InReach):
    """Reading needs the scope `read`, changing `admin`; of workflows in reach."""

    required_scope = "admin"
    read_scope = "read"
    permission = "budgets.change_workflow"


@contextmanager
def as_problems() -> Iterator[None]:
    """What an edit refuses, as a problem document."""
    try:
        yield
    except InvalidWorkflow as error:
        raise invalid(error.problems) from error
    except StaleEdit as error:
        now = error.workflow.edit_version
        raise Problem(409, "changed-meanwhile", "Changed meanwhile", str(error), edit_version=now) from error
    except NotBounded as error:
        missing = [one.code for one in error.missing]
        raise Problem(409, "not-bounded", "Not possible now", str(error), missing=missing) from error
    except RefusedEdit as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


def with_people() -> QuerySet[Workflow]:
    return Workflow.objects.select_related("team", "owner", "merged_into").order_by("slug")


def shown(workflow: Workflow) -> Any:
    """A workflow as it is now in the database."""
    return WorkflowDetailSerializer(with_people().get(pk=workflow.pk)).data


@extend_schema_view(
    get=extend_schema(
        summary="List workflows",
        description="By short name. Discovered ones were made from events, and nobody has claimed them yet.",
        parameters=[OpenApiParameter("status", str, enum=Workflow.Status.values)],
        tags=["workflows"],
    )
)
class WorkflowListView(Configured, generics.ListCreateAPIView[Workflow]):
    """All workflows."""

    serializer_class = WorkflowSerializer
    queryset = Workflow.objects.all()

    def get_queryset(self) -> QuerySet[Workflow]:
        wanted = asked(self.request, "status", Workflow.Status.values)
        return with_people().filter(status=wanted) if wanted else with_people()

    @extend_schema(
        summary="Make a workflow",
        description="A draft. Calls that name its slug count under it from the next one on.",
        request=WorkflowValuesSerializer,
        responses={201: WorkflowDetailSerializer},
        tags=["workflows"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(WorkflowValuesSerializer, request)
        with as_problems():
            made = create_workflow(Actor.of_request(request), stated(sent), sent.get("reason", ""))
        return Response(shown(made), status=status.HTTP_201_CREATED)


@extend_schema_view(get=extend_schema(summary="One workflow", tags=["workflows"]))
class WorkflowView(Configured, generics.RetrieveAPIView[Workflow]):
    """A workflow with its other names and what production needs."""

    serializer_class = WorkflowDetailSerializer
    queryset = with_people()
    lookup_field = "slug"

    @extend_schema(
        summary="Change a workflow",
        description="Only what is sent changes; `guardrails` as a whole. A new team counts for calls from now on."
        " 409 when `edit_version` is given and not the present one.",
        request=WorkflowChangeSerializer(partial=True),
        responses=WorkflowDetailSerializer,
        tags=["workflows"],
    )
    def patch(self, request: Request, slug: str) -> Response:
        workflow = self.get_object()
        return _changed(request, workflow, change_workflow)


class WorkflowClaimView(Configured, generics.GenericAPIView[Workflow]):
    """Somebody answers for it."""

    serializer_class = WorkflowChangeSerializer
    queryset = with_people()
    lookup_field = "slug"

    @extend_schema(
        summary="Claim a discovered workflow",
        description="It becomes a draft with the owner or team that is sent, and anything else that a change may say.",
        request=WorkflowChangeSerializer(partial=True),
        responses=WorkflowDetailSerializer,
        tags=["workflows"],
    )
    def post(self, request: Request, slug: str) -> Response:
        return _changed(request, self.get_object(), claim_workflow)


def _changed(request: Request, workflow: Workflow, change: Callable[..., Workflow]) -> Response:
    values = body(WorkflowChangeSerializer, request, partial=True)
    with as_problems():
        changed = change(
            Actor.of_request(request),
            workflow,
            replace(stated(values, values_of(workflow)), slug=workflow.slug),
            values.get("reason", ""),
            # What was not sent comes from this reading, which must still be true when it is saved.
            values.get("edit_version", workflow.edit_version),
        )
    return Response(shown(changed))


class ActView(Configured, generics.GenericAPIView[Workflow]):
    """One act on one workflow."""

    serializer_class = WorkflowReasonSerializer
    queryset = Workflow.objects.all()
    lookup_field = "slug"
    act: Callable[[Actor, Workflow, str, int | None], Workflow]

    def post(self, request: Request, slug: str) -> Response:
        found, given = self.get_object(), body(WorkflowReasonSerializer, request)
        with as_problems():
            row = type(self).act(Actor.of_request(request), found, given["reason"], given.get("edit_version"))
        return Response(shown(row))


def told(summary: str, description: str) -> Callable[[type[ActView]], type[ActView]]:
    """The schema of one act."""
    return extend_schema_view(
        post=extend_schema(
            summary=summary,
            description=description,
            request=WorkflowReasonSerializer,
            responses=WorkflowDetailSerializer,
            tags=["workflows"],
        )
    )


@told("Pause a workflow", "Every call of it is blocked at once: the next policy bundle says so.")
class WorkflowPauseView(ActView):
    act = staticmethod(lambda actor, workflow, reason, seen: pause_workflow(actor, workflow, reason))


@told("Resume a workflow", "Its calls pass again, as far as budgets allow.")
class WorkflowResumeView(ActView):
    act = staticmethod(lambda actor, workflow, reason, seen: resume_workflow(actor, workflow, reason))


@told("Ignore a workflow", "It is still counted, and shown apart from what waits to be claimed.")
class WorkflowIgnoreView(ActView):
    act = staticmethod(ignore_workflow)


@told("Take an ignored workflow back", "It waits to be claimed again.")
class WorkflowTakeBackView(ActView):
    act = staticmethod(take_back)


@told("Take a merged workflow apart", "It counts for itself again; calls that came meanwhile stay with the other.")
class WorkflowUnmergeView(ActView):
    act = staticmethod(unmerge_workflow)


@told("Put a workflow in production", "409 with `missing` unless it has an owner, a budget and its caps.")
class WorkflowProductionView(ActView):
    act = staticmethod(put_in_production)


@told("Put a workflow back to draft", "Always possible.")
class WorkflowDraftView(ActView):
    act = staticmethod(put_back_to_draft)


@told("Undo the last change of a workflow", "Restores how it was before; that is a change of its own.")
class WorkflowUndoView(ActView):
    act = staticmethod(lambda actor, workflow, reason, seen: undo_change(actor, workflow))


class WorkflowMergeView(Configured, generics.GenericAPIView[Workflow]):
    """Two names for one workflow."""

    serializer_class = MergeSerializer
    queryset = Workflow.objects.all()
    lookup_field = "slug"

    @extend_schema(
        summary="Merge a workflow into another",
        description="Its calls, past and to come, count under the other one; the ledger is not rewritten. Budgets that"
        " name either are read anew.",
        request=MergeSerializer,
        responses=WorkflowDetailSerializer,
        tags=["workflows"],
    )
    def post(self, request: Request, slug: str) -> Response:
        found, given = self.get_object(), body(MergeSerializer, request)
        mine = reachable(Workflow, request.user, self.permission)
        into = mine.filter(slug=given["into"]).first() if "\0" not in given["into"] else None
        if into is None:
            raise serializers.ValidationError({"into": [f"There is no workflow “{given['into']}”."]})
        with as_problems():
            row = merge_workflow(Actor.of_request(request), found, into, given["reason"], given.get("edit_version"))
        return Response(shown(row))
