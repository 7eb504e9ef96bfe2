"""For kinds whose lines are edits with a row of history each: written one by one, taken back by that history."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Model

from budgets.audit.newest import newest_entry
from budgets.models import AuditEntry
from budgets.organisation.configuration import changing_configuration
from usage.imports.kind import LineError, Written
from usage.models import Import

ENTRY = "budgets.auditentry"


def write_each(values: Sequence[Any], apply: Callable[[Any], str], object_type: str) -> Written:
    """`apply` each value to an object and answer its id, or "" where nothing changed; a LineError leaves it out.

    One lock for all, so that no other edit comes between; a line that is refused takes only itself back.
    """
    good, skipped, made, errors = 0, 0, [], []
    with changing_configuration():
        for index, value in enumerate(values):
            before = _newest_position()
            try:
                with transaction.atomic():
                    object_id = apply(value)
            except LineError as error:
                errors.append((index, error))
                continue
            if not object_id:
                skipped += 1
                continue
            good += 1
            entries = AuditEntry.objects.filter(
                object_type=object_type, object_id=object_id, position__gt=before
            ).order_by("position")
            made += [(ENTRY, pk) for pk in entries.values_list("pk", flat=True)]
    return Written(good, skipped, made, errors)


def _newest_position() -> int:
    return AuditEntry.objects.order_by("-position").values_list("position", flat=True).first() or 0


def undo_each(run: Import, undo: Callable[[AuditEntry, bool], object], refused: tuple[type[Exception], ...]) -> str:
    """Take back what the import did, the last first; what somebody changed since stays, and is counted.

    `undo` gets a row of history and whether it is the object's last one by this import: the earlier ones of the same
    object follow at once, so that nobody can have come between.
    """
    ids = run.objects_made.filter(object_type=ENTRY).values_list("object_id", flat=True)
    done, left, lost, begun = 0, [], set(), set()
    with changing_configuration():
        for entry in AuditEntry.objects.filter(pk__in=list(ids)).order_by("-position"):
            if entry.object_id in lost:
                continue
            try:
                with transaction.atomic():
                    undo(entry, entry.object_id not in begun)
                begun.add(entry.object_id)
                done += 1
            except refused:
                left.append(entry.object_name)
                lost.add(entry.object_id)
    said = f"{done:,} change{'' if done == 1 else 's'} taken back."
    if left:
        named = ", ".join(left[:5]) + (f" and {len(left) - 5:,} more" if len(left) > 5 else "")
        said += f" Changed since by somebody and left as {'it is' if len(left) == 1 else 'they are'}: {named}."
    return said


def remove_each(
    run: Import,
    model: type[Model],
    untouched: Collection[str],
    remove: Callable[[Any], object],
    refused: type[Exception] | tuple[type[Exception], ...],
) -> tuple[int, int]:
    """Remove the rows of `model` that the import made; (how many were, how many stay).

    One stays where its newest row of history is no act of `untouched`: somebody changed it since; or where it is gone
    or `remove` refuses.
    """
    made = run.objects_made.filter(object_type=model._meta.label_lower).values_list("object_id", flat=True)
    done = 0
    for pk in made:
        entry, row = newest_entry(model, pk), model._default_manager.filter(pk=pk).first()
        if entry is None or row is None or entry.act not in untouched:
            continue
        try:
            remove(row)
            done += 1
        except refused:
            continue
    return done, len(made) - done


def first_problem(problems: Mapping[str, str], columns: Mapping[str, str]) -> LineError:
    """What an edit refuses, at the column that says it; all its sentences together."""
    field = next(iter(problems))
    return LineError(columns.get(field, field), " ".join(problems.values()))


def differences(before: Mapping[str, Any], after: Mapping[str, Any], words: Mapping[str, Callable[[Any], str]]) -> str:
    """“amount 1,000 → 1,500; period month → year”, of the fields that `words` can say."""
    return "; ".join(
        f"{name.replace('_', ' ')} {say(before[name]) or 'none'} → {say(after[name]) or 'none'}"
        for name, say in words.items()
        if before[name] != after[name]
    )
