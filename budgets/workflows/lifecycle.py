"""From draft to production and back. Production needs its cost boundary: who answers, a budget, and caps on a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.limits.calendar import day_of
from budgets.models import Budget, Organisation, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.edit import RefusedEdit, announce, lock, refuse_special, save
from budgets.workflows.guardrails import known

PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Boundary:
    """One thing that production needs. `code` is stable; `missing` says what to do where it is not `met`."""

    code: str
    words: str
    missing: str
    met: bool


class NotBounded(RefusedEdit):
    """Something that production needs is missing: `missing` says what."""

    def __init__(self, missing: list[Boundary]) -> None:
        super().__init__(f"Not in production yet. {' '.join(one.missing for one in missing)}")
        self.missing = missing


def boundaries(workflow: Workflow) -> list[Boundary]:
    """All that production needs, in the order to see to it. One statement; `owner` must be joined or it is another."""
    caps = known(workflow.guardrails) if isinstance(workflow.guardrails, Mapping) else {}
    return [
        Boundary(
            "owner",
            "Somebody answers for it",
            "Choose an owner.",
            workflow.owner is not None and workflow.owner.is_active,
        ),
        Boundary(
            "budget",
            "An active budget covers all its calls",
            "Set a budget that covers it: its own, its team’s or the whole company’s.",
            live_budgets(workflow).exists(),
        ),
        *_capped(caps),
    ]


def _capped(caps: Mapping[str, Any]) -> list[Boundary]:
    return [
        Boundary(
            "max_output_tokens",
            "The length of an answer is limited",
            "Limit how long one answer may be.",
            "max_output_tokens" in caps,
        ),
        Boundary(
            "run_amount",
            "What a run may cost is limited",
            "Limit what one run may cost, in money or tokens.",
            "max_run_money" in caps or "max_run_tokens" in caps,
        ),
        Boundary(
            "max_run_steps",
            "The steps of a run are limited",
            "Limit how many steps one run may take.",
            "max_run_steps" in caps,
        ),
    ]


def live_budgets(workflow: Workflow) -> QuerySet[Budget]:
    """Active budgets that count every production call of the workflow today: none is narrower than that."""
    today = day_of(timezone.now(), Organisation.get().zone)
    covered = {"workflow": workflow.slug, "environment": PRODUCTION}
    if workflow.team is not None:
        covered["team"] = workflow.team.slug
    return Budget.objects.filter(status=Budget.Status.ACTIVE, scope__contained_by=covered).filter(
        ~Q(period=Budget.Period.FIXED) | Q(starts_on__lte=today, ends_on__gte=today)
    )


def put_in_production(
    actor: Actor, workflow: Workflow, reason: str = "", expected_version: int | None = None
) -> Workflow:
    """Raises NotBounded with what is missing, StaleEdit, or RefusedEdit for one that nobody claimed."""
    with changing_configuration():
        row = lock(workflow, expected_version)
        refuse_special(row)
        if row.status == Workflow.Status.PRODUCTION:
            return row
        if row.status != Workflow.Status.DRAFT:
            raise RefusedEdit(f"Nobody answers for {row.name} yet. Claim it first.")
        missing = [one for one in boundaries(row) if not one.met]
        if missing:
            raise NotBounded(missing)
        return _turn(actor, row, "put in production", Workflow.Status.PRODUCTION, reason)


def put_back_to_draft(
    actor: Actor, workflow: Workflow, reason: str = "", expected_version: int | None = None
) -> Workflow:
    """Always possible for one that is in production. Raises StaleEdit or RefusedEdit."""
    with changing_configuration():
        row = lock(workflow, expected_version)
        if row.status == Workflow.Status.DRAFT:
            return row
        if row.status != Workflow.Status.PRODUCTION:
            raise RefusedEdit(f"{row.name} is not in production.")
        return _turn(actor, row, "put back to draft", Workflow.Status.DRAFT, reason)


def _turn(actor: Actor, row: Workflow, act: str, status: str, reason: str) -> Workflow:
    before, row.status = row.status, status
    save(row)
    record(actor, act, row, {"status": before}, {"status": status}, reason)
    announce()
    return row
