"""The kill switch: a paused workflow is blocked at once, by a new bundle."""

from django.db import connection, transaction
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.limits.evaluate import publish_change
from budgets.models import Workflow
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import changing_configuration


def pause_workflow(actor: Actor, workflow: Workflow, reason: str = "") -> Workflow:
    """Block every call of it until it is resumed. One that is paused already stays as it is, its first reason too."""
    with changing_configuration():
        row = Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
        if row.paused_at is None:
            row.paused_at, row.pause_reason = timezone.now(), reason.strip()[:500]
            _save(actor, row, "paused", reason)
    return row


def resume_workflow(actor: Actor, workflow: Workflow, reason: str = "") -> Workflow:
    """Let its calls through again, as far as budgets allow."""
    with changing_configuration():
        row = Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
        if row.paused_at is not None:
            row.paused_at, row.pause_reason = None, ""
            _save(actor, row, "resumed", reason)
    return row


def _save(actor: Actor, row: Workflow, act: str, reason: str) -> None:
    row.save(update_fields=["paused_at", "pause_reason"])
    is_paused = row.paused_at is not None
    record(actor, act, row, {"paused": not is_paused}, {"paused": is_paused}, reason.strip())
    with connection.cursor() as cursor:
        publish_change(cursor)
    transaction.on_commit(hint_settle)
