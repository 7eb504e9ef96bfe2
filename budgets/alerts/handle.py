"""What people do with an alert: acknowledge it, take it on, snooze it, and undo that; each with its row of history."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.models import Alert, AuditEntry

LONGEST_SNOOZE = timedelta(days=90)
HANDLED = ("owner_id", "acknowledged_at", "acknowledged_by_id", "snoozed_until")
MOMENTS = ("acknowledged_at", "snoozed_until")


class InvalidSnooze(ValueError):
    """Until a time that makes no sense; the message says which does."""


class RefusedHandling(Exception):
    """What the alert's state does not allow; the message says why, for a reader."""


@transaction.atomic
def acknowledge(actor: Actor, alert: Alert, now: datetime | None = None) -> Alert:
    """Say that somebody has seen it. Whoever was first stays named."""
    row = _lock(alert.pk)
    if row.acknowledged_at is not None:
        return row
    before = _snapshot(row)
    row.acknowledged_at, row.acknowledged_by = now or timezone.now(), actor.user
    return _done(actor, "acknowledged", row, before)


@transaction.atomic
def own(actor: Actor, alert: Alert, owner: User | None) -> Alert:
    """Say who sees to it; None: nobody."""
    row = _lock(alert.pk)
    if row.owner_id == (owner.pk if owner else None):
        return row
    before = _snapshot(row)
    row.owner = owner
    return _done(actor, "assigned", row, before)


@transaction.atomic
def snooze(actor: Actor, alert: Alert, until: datetime, now: datetime | None = None) -> Alert:
    """Tell of it again at `until` (aware), if it still stands then. Raises InvalidSnooze, RefusedHandling."""
    now = now or timezone.now()
    if not now < until <= now + LONGEST_SNOOZE:
        raise InvalidSnooze(f"Choose a time within the next {LONGEST_SNOOZE.days} days.")
    row = _lock(alert.pk)
    if row.resolved_at is not None:
        raise RefusedHandling("This is over already; there is nothing to be told again.")
    before = _snapshot(row)
    row.snoozed_until = until
    return _done(actor, "snoozed", row, before)


@transaction.atomic
def unsnooze(actor: Actor, alert: Alert) -> Alert:
    """Do not tell of it again."""
    row = _lock(alert.pk)
    if row.snoozed_until is None:
        return row
    before = _snapshot(row)
    row.snoozed_until = None
    return _done(actor, "unsnoozed", row, before)


@transaction.atomic
def undo_handling(actor: Actor, entry: AuditEntry, now: datetime | None = None) -> Alert:
    """Restore how the alert was handled before `entry`. A snooze that is over stays so. Raises RefusedHandling."""
    row = Alert.objects.select_for_update(no_key=True).filter(pk=entry.object_id).first()
    newest = newest_entry(Alert, entry.object_id)
    if row is None or newest is None or newest.pk != entry.pk or entry.before is None:
        raise RefusedHandling("Somebody changed this since. Nothing was undone.")
    before = _snapshot(row)
    for name, value in entry.before.items():
        setattr(row, name, datetime.fromisoformat(value) if value and name in MOMENTS else value)
    if row.snoozed_until is not None and row.snoozed_until <= (now or timezone.now()):
        row.snoozed_until = None
    return _done(actor, "restored", row, before, f"Undo of “{entry.act}” by {entry.who_text}")


def _lock(pk: int) -> Alert:
    return Alert.objects.select_for_update(no_key=True).get(pk=pk)


def _snapshot(row: Alert) -> dict[str, Any]:
    stated = {name: getattr(row, name) for name in HANDLED}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in stated.items()}


def _done(actor: Actor, act: str, row: Alert, before: dict[str, Any], reason: str = "") -> Alert:
    row.save(update_fields=["owner", "acknowledged_at", "acknowledged_by", "snoozed_until"])
    record(actor, act, row, before, _snapshot(row), reason)
    return row
