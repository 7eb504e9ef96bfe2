"""Bring a calendar file in: what it would do, then doing it in one transaction, then undoing it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Max

from budgets.activities.edit import InvalidActivity, change_activity, create_activity, remove_activity, undo_all
from budgets.activities.reading import Found
from budgets.activities.values import ActivityValues
from budgets.activities.writing import uid_of
from budgets.audit.record import Actor
from budgets.models import AuditEntry, PlannedActivity

OBJECT_TYPE = PlannedActivity._meta.label_lower
PREFIX = "Calendar import "
FROM_THE_FILE = ("name", "starts_at", "ends_at", "is_all_day", "recurrence", "skipped_days")


@dataclass(frozen=True, slots=True)
class Change:
    """What a known activity would become, and in which fields."""

    row: PlannedActivity
    values: ActivityValues
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file would do. `same` and `ignored` (cancelled, and not here) are counts."""

    new: tuple[Found, ...]
    changed: tuple[Change, ...]
    gone: tuple[PlannedActivity, ...]
    unreadable: tuple[Found, ...]
    same: int
    ignored: int

    @property
    def mark(self) -> str:
        """What was shown, to compare with what would be done."""
        return f"{len(self.new)}-{len(self.changed)}-{len(self.gone)}"

    @property
    def does_something(self) -> bool:
        return bool(self.new or self.changed or self.gone)


def plan(found: Sequence[Found]) -> Plan:
    """Compare with what is there, by UID. One statement.

    Of one that is known the file decides name and times; kind, team, workflow, expectation and note are the calendar's.
    """
    known = {uid_of(row): row for row in PlannedActivity.objects.all()}
    new: dict[str, Found] = {}
    changed: dict[str, Change] = {}
    gone: dict[int, PlannedActivity] = {}
    unreadable, same, ignored = [], 0, 0
    for one in found:
        row = known.get(one.uid)
        if one.is_off:
            if row is not None:
                gone[row.pk] = row
            else:
                ignored += 1
        elif one.values is None:
            unreadable.append(one)
        elif one.uid in new or one.uid in changed:
            unreadable.append(replace(one, problem="Its UID stands twice in the file; the first one is taken."))
        elif row is None:
            new[one.uid] = one
        elif fields := _differing(ActivityValues.of_row(row), one.values):
            known_values = ActivityValues.of_row(row)
            taken: dict[str, Any] = {name: getattr(one.values, name) for name in FROM_THE_FILE}
            changed[one.uid] = Change(row, replace(known_values, **taken), fields)
        else:
            same += 1
    return Plan(tuple(new.values()), tuple(changed.values()), tuple(gone.values()), tuple(unreadable), same, ignored)


def _differing(before: ActivityValues, after: ActivityValues) -> tuple[str, ...]:
    return tuple(name for name in FROM_THE_FILE if getattr(before, name) != getattr(after, name))


def carry_out(actor: Actor, wanted: Plan, file_name: str) -> str:
    """Do it, all or nothing; the token that undoes it. Raises InvalidActivity."""
    token = secrets.token_hex(6)
    reason = f"{PREFIX}{token} of {' '.join(file_name.split())[:200] or 'a file'}"
    with transaction.atomic():
        for one in wanted.new:
            if one.values:
                create_activity(actor, one.values, reason)
        for change in wanted.changed:
            change_activity(actor, change.row, change.values, reason)
        for row in wanted.gone:
            remove_activity(actor, row, reason)
    return token


def undo_import(actor: Actor, token: str) -> tuple[int, int]:
    """(how many changes were taken back, how many had changed since and stay); (0, 0) where there is no such import."""
    entries = AuditEntry.objects.filter(object_type=OBJECT_TYPE, reason__startswith=f"{PREFIX}{token} ")
    return undo_all(actor, list(entries))


@dataclass(frozen=True, slots=True)
class Past:
    """An import of a file as its history tells it."""

    token: str
    file_name: str
    count: int
    at: datetime


def recent() -> list[Past]:
    """The last ten. One statement."""
    rows = (
        AuditEntry.objects.filter(object_type=OBJECT_TYPE, reason__startswith=PREFIX)
        .order_by()
        .values_list("reason")
        .annotate(count=Count("pk"), last=Max("at"))
        .order_by("-last")[:10]
    )
    found = []
    for reason, count, at in rows:
        token, _, rest = reason.removeprefix(PREFIX).partition(" of ")
        found.append(Past(token, rest, count, at))
    return found


__all__ = ["InvalidActivity", "Past", "Plan", "carry_out", "plan", "recent", "undo_import"]
