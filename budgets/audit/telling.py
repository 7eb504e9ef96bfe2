"""Rows of the history as a page shows them: who did what to which object, before and after, from where, why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from budgets.audit.wording import Names, changes, links, names_in, sentence, undo_links, wording_of
from budgets.models import AuditEntry, Organisation
from budgets.pages.moments import clock, day, day_year

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


def told(
    rows: Sequence[AuditEntry], organisation: Organisation, now: datetime, *, may: Callable[[str], bool]
) -> list[Told]:
    """The rows in words; `may` says of a right whether the reader has it. As many statements as there are kinds with
    pages of their own, and kinds referred to; and for each kind of which something may be undone two.
    """
    addresses = links((row.object_type, row.object_id) for row in rows)
    undoable = _undoable(rows, may)
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


def _undoable(rows: Sequence[AuditEntry], may: Callable[[str], bool]) -> dict[int, str]:
    """Row → where to undo it: the newest change of an object whose kind has an address for that."""
    kinds: dict[str, set[str]] = {}
    for row in rows:
        words = wording_of(row.object_type)
        if words.undo and row.object_id.isdecimal() and (row.before is not None or row.act == "created"):
            kinds.setdefault(row.object_type, set()).add(row.object_id)
    newest: dict[tuple[str, str], int] = {}
    for kind, ids in kinds.items():
        if may(wording_of(kind).undo_right):
            entries = AuditEntry.objects.filter(object_type=kind, object_id__in=ids).order_by()
            last = dict(entries.values_list("object_id").annotate(newest=Max("position")))
            newest |= {
                (kind, row.object_id): row.pk
                for row in rows
                if row.object_type == kind and last.get(row.object_id) == row.position
                if row.before is not None or row.act == "created"
            }
    return undo_links(newest)
