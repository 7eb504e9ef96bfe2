"""Make, change and remove planned activity, and undo that: each in one transaction with its row of history."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection, transaction

from budgets.access.reachable import outside
from budgets.activities.values import ActivityValues, checked
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.models import AuditEntry, Organisation, PlannedActivity
from budgets.organisation.configuration import HOLD_CONFIGURATION

CHANGE = "budgets.change_plannedactivity"
UNDO_LOCK = 7_061_015  # advisory lock number, ours by choice


class InvalidActivity(ValueError):
    """`problems`: field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedActivity(Exception):
    """What the activity's state does not allow; the message says why, for a reader."""


@contextmanager
def _calendar() -> Iterator[Organisation]:
    """One transaction in which the organisation keeps its time zone: whole days lie at its midnights."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD_CONFIGURATION)
        yield Organisation.get()


def create_activity(actor: Actor, values: ActivityValues, reason: str = "") -> PlannedActivity:
    """Raises InvalidActivity."""
    with _calendar() as organisation:
        values, row = _fit(values, organisation), PlannedActivity()
        _state(row, values)
        _refuse_outside(actor, row)
        row.save(force_insert=True)
        record(actor, "created", row, None, values.as_json(), reason)
    return row


def change_activity(
    actor: Actor, activity: PlannedActivity, values: ActivityValues, reason: str = ""
) -> PlannedActivity:
    """Save new values. Raises InvalidActivity, or RefusedActivity for one that is gone."""
    with _calendar() as organisation:
        row = _lock(activity.pk)
        _refuse_others(actor, row)
        values, before = _fit(values, organisation, row.pk), ActivityValues.of_row(row)
        if before == values:
            return row
        _state(row, values)
        _refuse_outside(actor, row)
        row.save()
        record(actor, "changed", row, before.as_json(), values.as_json(), reason)
    return row


def remove_activity(actor: Actor, activity: PlannedActivity, reason: str = "") -> None:
    """Take it out of the calendar; its history keeps it. Raises RefusedActivity."""
    with _calendar():
        row = _lock(activity.pk)
        _refuse_others(actor, row)
        PlannedActivity.objects.filter(pk=row.pk).delete()
        record(actor, "removed", row, ActivityValues.of_row(row).as_json(), None, reason)


def undo_activity(actor: Actor, entry: AuditEntry) -> str:
    """Restore how it was before `entry`; its name. Raises RefusedActivity, InvalidActivity."""
    with _calendar() as organisation:
        row = _one_at_a_time(entry.object_id)
        newest = newest_entry(PlannedActivity, entry.object_id)
        if newest is None or newest.pk != entry.pk:
            raise RefusedActivity("Somebody changed this since. Nothing was undone.")
        reason = f"Undo of “{entry.act}” by {entry.who_text}"
        if entry.before is None:
            if row is None:
                raise RefusedActivity("This is removed already.")
            remove_activity(actor, row, reason)
        elif row is not None:
            change_activity(actor, row, ActivityValues.of_json(entry.before), reason)
        else:
            values = _fit(ActivityValues.of_json(entry.before), organisation)
            row = PlannedActivity(pk=int(entry.object_id))
            _state(row, values)
            _refuse_others(actor, row)
            row.save(force_insert=True)
            record(actor, "restored", row, None, values.as_json(), reason)
    return entry.object_name


def undo_all(actor: Actor, entries: Sequence[AuditEntry]) -> tuple[int, int]:
    """Take back what can be, the newest first; (how many were, how many had changed since and stay)."""
    done = kept = 0
    with _calendar():
        for entry in sorted(entries, key=lambda one: -one.pk):
            try:
                with transaction.atomic():
                    undo_activity(actor, entry)
            except (RefusedActivity, InvalidActivity):
                kept += 1
            else:
                done += 1
    return done, kept


def _one_at_a_time(pk: str) -> PlannedActivity | None:
    """The row, locked, if it is there. Undoing is done by one at a time, since what is gone has no row to lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [UNDO_LOCK])
    return PlannedActivity.objects.select_for_update(no_key=True).filter(pk=pk).first()


def _fit(values: ActivityValues, organisation: Organisation, pk: int | None = None) -> ActivityValues:
    values, problems = checked(values, organisation.zone)
    others = PlannedActivity.objects.filter(uid=values.uid)
    if values.uid and (others.exclude(pk=pk) if pk else others).exists():
        problems["uid"] = "There is already an activity with this UID."
    if problems:
        raise InvalidActivity(problems)
    return values


def _state(row: PlannedActivity, values: ActivityValues) -> None:
    for name in values.__slots__:
        setattr(row, name, getattr(values, name))
    row.skipped_days = list(values.skipped_days)


def _refuse_others(actor: Actor, row: PlannedActivity) -> None:
    """Whose role is for a team changes what is that team's."""
    if sentence := outside(actor.who, CHANGE, row):
        raise RefusedActivity(sentence)


def _refuse_outside(actor: Actor, row: PlannedActivity) -> None:
    """The same of a row that is stated anew and not saved yet: another team or workflow has to be chosen."""
    if sentence := outside(actor.who, CHANGE, row):
        raise InvalidActivity({"team": sentence})


def _lock(pk: int) -> PlannedActivity:
    row = PlannedActivity.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if row is None:
        raise RefusedActivity("This is no longer in the calendar: somebody removed it.")
    return row
