"""Make the grant that an approved request allows."""

import secrets
from datetime import datetime, timedelta

from django.db import connection, transaction

from budgets.limits.evaluate import publish_change
from budgets.models import ApprovalRequest, Grant
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import changing_configuration

LASTS = timedelta(days=7)  # where the request does not say until when


def make_grant(request: ApprovalRequest, now: datetime, *, ceiling: int | None = None) -> Grant:
    """The grant of a request that was just approved, from `now` (aware) on. `ceiling` (nano-dollars) beats the asked.

    In the caller's transaction, who should have opened `changing_configuration` before locking anything else.
    """
    assert request.workflow is not None and request.tier is not None
    workflow = request.workflow.merged_into or request.workflow
    scope = {"workflow": workflow.slug}
    if request.run_id:
        scope["run"] = request.run_id
    if request.subject_user:
        scope["user"] = request.subject_user
    until = request.wanted_until if request.wanted_until and request.wanted_until > now else now + LASTS
    with changing_configuration(), connection.cursor() as cursor:
        grant = Grant.objects.create(
            key=f"grant-{secrets.token_hex(8)}",
            request=request,
            workflow=workflow,
            scope=scope,
            tier=request.tier,
            ceiling=request.ceiling if ceiling is None else ceiling,
            ceiling_runs=request.runs,
            starts_at=now,
            expires_at=until,
        )
        publish_change(cursor)
        transaction.on_commit(hint_settle)
    return grant
