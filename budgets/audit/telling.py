"""Rows of the history as a page shows them: who did what to which object, before and after, from where, why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django.urls import reverse

from budgets.audit.wording import Names, changes, links, names_in, sentence, wording_of
from budgets.models import AuditEntry, Budget, Organisation
from budgets.pages.moments import clock, day, day_year

BUDGETS = "budgets.budget"
INLINE = 2  # differences said in the sentence itself; more are a table below it


@dataclass(frozen=True)
class Told:
    """One row. `verb` and `ending` go around the object's name; `changes` are (field, before, after)."""

    position: int
    who: str
    verb: str
    object: str
    ending: str
    url: str
    changes: list[tuple[str, str, str]]
    is_made: bool
    is_inline: bool
    when: str
    origin: str
    reason: str
    undo_url: str
    object_filter: str


def told(rows: Sequence[AuditEntry], organisation: Organisation, now: datetime, *, may_undo: bool) -> list[Told]:
    """The rows in words. As many statements as there are kinds with pages of their own, and kinds referred to; and two
    for what may be undone.
    """
    addresses = links((row.object_type, row.object_id) for row in rows)
    undoable = _undoable(rows) if may_undo else {}
    names = names_in((row.object_type, row.before, row.after) for row in rows)
    return [_one(row, organisation, now, (addresses, undoable, names)) for row in rows]


def _one(
    row: AuditEntry,
    organisation: Organisation,
    now: datetime,
    known: tuple[dict[tuple[str, str], str], dict[int, str], Names],
) -> Told:
    addresses, undoable, names = known
    words = wording_of(row.object_type)
    found = changes(words, row.before, row.after, organisation.zone, names)
    verb, ending = sentence(words, row.act)
    is_made = not (row.before and row.after)
    return Told(
        position=row.position,
        who=(row.who.get_full_name() if row.who else "") or row.who_text,
        verb=verb,
        object=row.object_name,
        ending=ending,
        url=addresses.get((row.object_type, row.object_id), ""),
        changes=found,
        is_made=is_made,
        is_inline=not is_made and len(found) <= INLINE,
        when=_when(organisation.local(row.at), organisation.local(now)),
        origin=AuditEntry.Origin(row.origin).label,
        reason=row.reason,
        undo_url=undoable.get(row.pk, ""),
        object_filter=f"{row.object_type}:{row.object_id}",
    )


def _when(at: datetime, now: datetime) -> str:
    """ "09:05" today, "17 Nov, 09:05" this year, with the year before."""
    if at.date() == now.date():
        return clock(at)
    return f"{day(at.date()) if at.year == now.year else day_year(at.date())}, {clock(at)}"


def _undoable(rows: Sequence[AuditEntry]) -> dict[int, str]:
    """Row → where to undo it: the newest change of a budget, as `budgets.limits.edit.undo_change` can take back."""
    ids = {row.object_id for row in rows if row.object_type == BUDGETS and row.object_id.isdecimal()}
    if not ids:
        return {}
    newest = dict(
        AuditEntry.objects.filter(object_type=BUDGETS, object_id__in=ids)
        .order_by()
        .values_list("object_id")
        .annotate(newest=Max("position"))
    )
    slugs = dict(Budget.objects.filter(pk__in=[int(one) for one in ids]).values_list("pk", "slug"))
    return {
        row.pk: reverse("budget-undo", args=[slugs[int(row.object_id)], row.pk])
        for row in rows
        if row.object_type == BUDGETS
        and newest.get(row.object_id) == row.position
        and row.object_id.isdecimal()
        and int(row.object_id) in slugs
        and (row.before is not None or row.act == "created")
    }
