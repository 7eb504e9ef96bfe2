"""Take the last change of a workflow back; that is a change of its own, with its own row of history."""

from collections.abc import Callable
from typing import Any

from budgets.audit.record import Actor, record
from budgets.models import AuditEntry, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.claim import ignore_workflow, take_back
from budgets.workflows.edit import (
    RefusedEdit,
    StaleEdit,
    announce,
    change_workflow,
    checked,
    last_change,
    lock,
    save,
    state,
)
from budgets.workflows.lifecycle import put_back_to_draft, put_in_production
from budgets.workflows.merge import merge_workflow, unmerge_workflow
from budgets.workflows.pause import pause_workflow, resume_workflow
from budgets.workflows.values import WorkflowValues, values_of

OPPOSITE: dict[str, Callable[[Actor, Workflow, str], Workflow]] = {
    "created": ignore_workflow,  # calls may have come meanwhile, so it is not thrown away
    "paused": resume_workflow,
    "put in production": put_back_to_draft,
    "put back to draft": put_in_production,
    "restored": ignore_workflow,
    "merged": unmerge_workflow,
}


def undo_change(actor: Actor, workflow: Workflow, entry: AuditEntry | None = None) -> Workflow:
    """Restore how it was before its last change, which must be `entry` where that is given.

    Raises StaleEdit when something happened after `entry`, RefusedEdit when there is nothing to go back to or the way
    back is closed, and InvalidWorkflow where what was stated then is impossible now (its team is gone).
    """
    with changing_configuration():
        row = lock(workflow)
        newest = last_change(row)
        if newest is None:
            raise RefusedEdit("This workflow has no earlier version to go back to.")
        if entry is not None and entry.pk != newest.pk:
            raise StaleEdit(row)
        reason = f"Undo of “{newest.act}” by {newest.who_text}"[:500]
        return undo_step(actor, row, newest, reason)


def undo_step(actor: Actor, row: Workflow, newest: AuditEntry, reason: str) -> Workflow:
    """The opposite of one act on a locked row, whether or not something happened since: the caller knows."""
    before: dict[str, Any] = newest.before or {}
    if newest.act in OPPOSITE:
        return OPPOSITE[newest.act](actor, row, reason)
    if newest.act == "resumed":
        return pause_workflow(actor, row, before.get("reason") or reason)
    if newest.act == "ignored":
        return take_back(actor, row, reason, status=before.get("status", Workflow.Status.DISCOVERED))
    if newest.act == "unmerged" and before.get("merged_into"):
        return merge_workflow(actor, row, Workflow.objects.get(slug=before["merged_into"]), reason)
    if newest.act == "claimed":
        return _unclaim(actor, row, before, reason)
    if newest.act == "changed" and "name" in before:
        return change_workflow(actor, row, _values(before), reason)
    raise RefusedEdit("This workflow has no earlier version to go back to.")


def _unclaim(actor: Actor, row: Workflow, before: dict[str, Any], reason: str) -> Workflow:
    if row.status != Workflow.Status.DRAFT:
        raise RefusedEdit("It has moved on since it was claimed.")
    now = values_of(row).as_json() | {"status": row.status}
    state(row, checked(_values(before)))
    row.status = before.get("status", Workflow.Status.DISCOVERED)
    save(row)
    record(actor, "unclaimed", row, now, before, reason)
    announce()
    return row


def _values(before: dict[str, Any]) -> WorkflowValues:
    try:
        return WorkflowValues.of_json(before)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise RefusedEdit("What was stated before cannot be read back.") from error
