"""The kill switch: a paused workflow is blocked at once, by a new bundle."""

from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.models import Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.edit import RefusedEdit, announce, lock


def pause_workflow(actor: Actor, workflow: Workflow, reason: str = "") -> Workflow:
    """Block every call of it until it is resumed. One that is paused already stays as it is, its first reason too.

    Raises RefusedEdit for a merged one, whose calls are those of another.
    """
    with changing_configuration():
        row = lock(workflow)
        if row.merged_into is not None:
            raise RefusedEdit(f"Its calls are those of {row.merged_into.name} now. Pause that one.")
        if row.paused_at is None:
            row.paused_at, row.pause_reason = timezone.now(), reason.strip()[:500]
            _save(actor, row, "paused", reason)
    return row


def resume_workflow(actor: Actor, workflow: Workflow, reason: str = "") -> Workflow:
    """Let its calls through again, as far as budgets allow."""
    with changing_configuration():
        row = lock(workflow)
        if row.paused_at is not None:
            told, row.paused_at, row.pause_reason = row.pause_reason, None, ""
            _save(actor, row, "resumed", reason, told)
    return row


def _save(actor: Actor, row: Workflow, act: str, reason: str, told: str = "") -> None:
    """`told` is the reason that it was paused for, so that undoing gives it back."""
    row.save(update_fields=["paused_at", "pause_reason"])
    is_paused = row.paused_at is not None
    before: dict[str, object] = {"paused": not is_paused} | ({"reason": told} if told else {})
    record(actor, act, row, before, {"paused": is_paused}, reason.strip())
    announce()
