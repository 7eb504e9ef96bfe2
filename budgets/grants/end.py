"""End a grant: at its ceiling, at its expiry, or because somebody undid it. What was spent stays spent."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from budgets.audit.record import Actor, record
from budgets.limits.evaluate import publish_change
from budgets.models import Grant
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import HOLD_CONFIGURATION, changing_configuration

ENDS = 200  # grants that one pass expires


def end_grant(grant: Grant, end: str, now: datetime) -> bool:
    """Take away what is left of it, from `now` (aware) on; False where it had ended. In the caller's transaction.

    The generation grows, so that no call after this is charged to it unless it names it.
    """
    with changing_configuration(), connection.cursor() as cursor:
        row = Grant.objects.select_for_update().get(pk=grant.pk)
        if row.ended_at is not None:
            return False
        write_end(row, end, now)
        publish_change(cursor)
        transaction.on_commit(hint_settle)
    grant.refresh_from_db()
    return True


def write_end(row: Grant, end: str, now: datetime) -> None:
    """The columns of a locked grant that end it. Never before it starts: clocks differ."""
    row.ended_at, row.end = max(now, row.starts_at), end
    row.save(update_fields=["ended_at", "end"])


def expire_due(now: datetime) -> int:
    """End the grants whose time is over; how many. Racing workers end each once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD_CONFIGURATION)
        due = list(
            Grant.objects.select_for_update(skip_locked=True)
            .filter(ended_at=None, expires_at__lte=now)
            .order_by("pk")[:ENDS]
        )
        for row in due:
            write_end(row, Grant.End.EXPIRED, row.expires_at)
        if due:
            publish_change(cursor)
        for row in due:
            tell_end(row)
    return len(due)


def tell_end(row: Grant) -> None:
    """The row of history of an end that nobody decided."""
    before: dict[str, Any] = {"spent": row.spent, "runs": row.runs, "end": ""}
    record(Actor.job("grants"), "ended", row, before, before | {"end": row.end})
