"""What people do with a finding: say that it was expected, take it on, say that it is fixed, give it to somebody, and
undo that; each with its row of history."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.models import AuditEntry
from reports.models import Finding

HANDLE = "budgets.handle_alert"
HANDLED = ("state", "taught", "owner_id")
OBJECT_TYPE = Finding._meta.label_lower
ACTS = {
    Finding.State.OPEN: "put back to be checked",
    Finding.State.CHECKING: "took on",
    Finding.State.EXPECTED: "called expected",
    Finding.State.FIXED: "called fixed",
}
UNDOABLE = {*ACTS.values(), "assigned"}


class RefusedHandling(Exception):
    """What the finding's history does not allow; the message says why, for a reader."""


@transaction.atomic
def set_state(actor: Actor, finding: Finding, state: str, reason: str = "") -> Finding:
    """Say how it stands. Expected teaches detection; being checked makes it the actor's where it is nobody's."""
    row = _lock(finding.pk)
    teaches = state == Finding.State.EXPECTED
    if row.state == state and row.taught == teaches:
        return row
    before = _snapshot(row)
    row.state, row.taught = state, teaches
    if state == Finding.State.CHECKING and row.owner_id is None and actor.user is not None:
        row.owner = actor.user
    return _done(actor, ACTS[Finding.State(state)], row, before, reason)


@transaction.atomic
def assign(actor: Actor, finding: Finding, owner: User | None) -> Finding:
    """Say who sees to it; None: nobody."""
    row = _lock(finding.pk)
    if row.owner_id == (owner.pk if owner else None):
        return row
    before = _snapshot(row)
    row.owner = owner
    return _done(actor, "assigned", row, before)


@transaction.atomic
def undo_handling(actor: Actor, entry: AuditEntry) -> Finding:
    """Restore how it stood before `entry`; what was taught is forgotten. Raises RefusedHandling."""
    row = Finding.objects.select_for_update(no_key=True).filter(pk=entry.object_id).first()
    newest = newest_entry(Finding, entry.object_id)
    if row is None or newest is None or newest.pk != entry.pk or entry.act not in UNDOABLE or not entry.before:
        raise RefusedHandling("Somebody changed this since. Nothing was undone.")
    before = _snapshot(row)
    for name in HANDLED:
        setattr(row, name, entry.before[name])
    if row.owner_id is not None and not User.objects.filter(pk=row.owner_id).exists():
        row.owner_id = None
    return _done(actor, "restored", row, before, f"Undo of “{entry.act}” by {entry.who_text}")


def _lock(pk: int) -> Finding:
    return Finding.objects.select_for_update(no_key=True, of=("self",)).get(pk=pk)


def _snapshot(row: Finding) -> dict[str, Any]:
    return {name: getattr(row, name) for name in HANDLED}


def _done(actor: Actor, act: str, row: Finding, before: dict[str, Any], reason: str = "") -> Finding:
    row.save(update_fields=["state", "taught", "owner"])
    record(actor, act, row, before, _snapshot(row), reason)
    return row
