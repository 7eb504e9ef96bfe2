"""Budgets over HTTP: list with state, make, change, pause, resume, archive, restore, undo; several at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response

from budgets.access.drf import InReach
from budgets.access.problems import Problem
from budgets.access.sent import asked, body, invalid
from budgets.audit.record import Actor
from budgets.limits import edit
from budgets.limits.serializers import (
    BudgetChangeSerializer,
    BudgetSerializer,
    BudgetValuesSerializer,
    ReasonSerializer,
    stated,
)
from budgets.models import Budget, BudgetState


class Budgeted(InReach):
    """Reading needs the scope `read`, changing `admin`; of budgets in reach."""

    required_scope = "admin"
    read_scope = "read"
    permission = "budgets.change_budget"


def with_states() -> QuerySet[Budget]:
    """Budgets with the state of the period that runs now (`running`) and their owner: two statements for any number."""
    now = timezone.now()
    running = BudgetState.objects.filter(starts_at__lte=now, ends_at__gt=now).select_related("budget")
    return Budget.objects.select_related("owner").prefetch_related(Prefetch("states", running, to_attr="running"))


@contextmanager
def as_problems() -> Iterator[None]:
    """What an edit refuses, as a problem document."""
    try:
        yield
    except edit.InvalidBudget as error:
        raise invalid(error.problems) from error
    except edit.StaleEdit as error:
        raise Problem(
            409, "changed-meanwhile", "Changed meanwhile", str(error), edit_version=error.budget.edit_version
        ) from error
    except edit.RefusedEdit as error:
        raise Problem(409, "refused", "Not possible now", str(error)) from error


@extend_schema_view(
    get=extend_schema(
        summary="List budgets",
        description="By name, with where each stands now. Archived ones only when asked for.",
        parameters=[OpenApiParameter("status", str, enum=Budget.Status.values)],
        tags=["budgets"],
    )
)
class BudgetListView(Budgeted, generics.ListCreateAPIView[Budget]):
    """All budgets."""

    serializer_class = BudgetSerializer
    queryset = Budget.objects.all()

    def get_queryset(self) -> QuerySet[Budget]:
        wanted = asked(self.request, "status", Budget.Status.values)
        chosen = with_states().order_by("name", "id")
        return chosen.filter(status=wanted) if wanted else chosen.exclude(status=Budget.Status.ARCHIVED)

    @extend_schema(
        summary="Make a budget",
        description="What was spent before in its period is read from the ledger a moment later; until then its"
        " `state` is null.",
        request=BudgetValuesSerializer,
        responses={201: BudgetSerializer},
        tags=["budgets"],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        sent = body(BudgetValuesSerializer, request)
        with as_problems():
            budget = edit.create_budget(Actor.of_request(request), stated(sent), sent.get("reason", ""))
        return Response(shown(budget), status=status.HTTP_201_CREATED)


def shown(budget: Budget) -> Any:
    """A budget as it is now in the database."""
    return BudgetSerializer(with_states().get(pk=budget.pk)).data


@extend_schema_view(get=extend_schema(summary="One budget", tags=["budgets"]))
class BudgetView(Budgeted, generics.RetrieveAPIView[Budget]):
    """A budget with where it stands now."""

    serializer_class = BudgetSerializer
    queryset = Budget.objects.all()
    lookup_field = "slug"

    def get_queryset(self) -> QuerySet[Budget]:
        return with_states()

    @extend_schema(
        summary="Change a budget",
        description="Only what is sent changes. A new amount is judged at once; a new scope, metric or period is read"
        " from the ledger anew. 409 when `edit_version` is given and not the present one.",
        request=BudgetChangeSerializer(partial=True),
        responses=BudgetSerializer,
        tags=["budgets"],
    )
    def patch(self, request: Request, slug: str) -> Response:
        budget = self.get_object()
        values = body(BudgetChangeSerializer, request, partial=True)
        with as_problems():
            changed = edit.change_budget(
                Actor.of_request(request),
                budget,
                stated(values, edit.values_of(budget)),
                values.get("reason", ""),
                # What was not sent comes from this reading, which must still be true when it is saved.
                values.get("edit_version", budget.edit_version),
            )
        return Response(shown(changed))

    @extend_schema(
        summary="Archive a budget",
        description="As `POST …/archive`: it counts no more, its past and its history stay, and it can be restored.",
        responses={204: None},
        tags=["budgets"],
    )
    def delete(self, request: Request, slug: str) -> Response:
        with as_problems():
            edit.archive_budget(Actor.of_request(request), self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ActView(Budgeted, generics.GenericAPIView[Budget]):
    """One act on one budget."""

    serializer_class = ReasonSerializer
    queryset = Budget.objects.all()
    lookup_field = "slug"
    act: Callable[[Actor, Budget, str, int | None], Budget]

    def post(self, request: Request, slug: str) -> Response:
        found, sent = self.get_object(), body(ReasonSerializer, request)
        with as_problems():
            budget = type(self).act(
                Actor.of_request(request),
                found,
                sent["reason"],
                sent.get("edit_version"),
            )
        return Response(shown(budget))


def told(summary: str, description: str) -> Callable[[type[ActView]], type[ActView]]:
    """The schema of one act."""
    return extend_schema_view(
        post=extend_schema(
            summary=summary,
            description=description,
            request=ReasonSerializer,
            responses=BudgetSerializer,
            tags=["budgets"],
        )
    )


@told("Pause a budget", "It says nothing and stops nothing until it is resumed; it goes on counting.")
class PauseView(ActView):
    act = staticmethod(edit.pause_budget)


@told("Resume a budget", "What it crossed meanwhile and still stands is told now.")
class ResumeView(ActView):
    act = staticmethod(edit.resume_budget)


@told("Archive a budget", "It counts no more and can no longer be changed. Its past stays.")
class ArchiveView(ActView):
    act = staticmethod(edit.archive_budget)


@told("Restore a budget", "Out of the archive, active or paused as it was. What was spent meanwhile counts.")
class RestoreView(ActView):
    act = staticmethod(edit.restore_budget)


class UndoView(Budgeted, generics.GenericAPIView[Budget]):
    """Take the last change back."""

    serializer_class = BudgetSerializer
    queryset = Budget.objects.all()
    lookup_field = "slug"

    @extend_schema(
        summary="Undo the last change of a budget",
        description="Restores how it was before; that is a change of its own, with its row of history.",
        request=None,
        responses=BudgetSerializer,
        tags=["budgets"],
    )
    def post(self, request: Request, slug: str) -> Response:
        with as_problems():
            budget = edit.undo_change(Actor.of_request(request), self.get_object())
        return Response(shown(budget))
