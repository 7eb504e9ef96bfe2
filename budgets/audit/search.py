"""Which rows of the history a page, its CSV or the API shows: the filter of the query string, and pages by position.

A page begins before or after a position, so that it costs the same at the beginning and at the end of a million rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.db.models import QuerySet

from budgets.audit.wording import wording_of
from budgets.limits.calendar import day_starts_at
from budgets.models import AuditEntry, Organisation
from budgets.models.audit import WORDS

PER_PAGE = 50
OFFERED = 200  # names in a list to choose from
LONGEST = 200  # characters that a filter may have
DAY = timedelta(days=1)
# Each distinct value by one look into the index, however many rows have it.
DISTINCT = """
WITH RECURSIVE found AS (
    (SELECT {column} AS value FROM budgets_auditentry ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM budgets_auditentry WHERE {column} > found.value ORDER BY {column} LIMIT 1)
    FROM found WHERE found.value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL LIMIT %s
"""


@dataclass(frozen=True)
class Filter:
    """What is asked for; empty: everything. `notes` are sentences about what was asked and makes no sense."""

    who: str = ""
    type: str = ""
    object: str = ""
    act: str = ""
    origin: str = ""
    first: date | None = None
    last: date | None = None
    q: str = ""
    before: int | None = None
    after: int | None = None
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any((self.who, self.type, self.object, self.act, self.origin, self.first, self.last, self.q))


def distinct(column: str) -> list[str]:
    """Values of who_text, object_type or act that the history has, at most two hundred, sorted."""
    with connection.cursor() as cursor:
        cursor.execute(DISTINCT.format(column=column), [OFFERED])
        return [value for (value,) in cursor.fetchall()]


def read(query: Mapping[str, str]) -> Filter:
    """The filter of a query string. What is unknown or malformed is left out, with a note."""
    notes: dict[str, str] = {}
    texts = {name: query.get(name, "").strip()[:LONGEST].replace("\0", "") for name in ("who", "type", "act", "q")}
    for name, column, said in (
        ("who", "who_text", "Nobody called “{}” has changed anything"),
        ("type", "object_type", "“{}” is no kind of thing that has a history"),
        ("act", "act", "Nothing was ever “{}”"),
    ):
        if texts[name] and not AuditEntry.objects.filter(**{column: texts[name]}).exists():
            notes[name] = said.format(texts[name]) + "; this filter is left out."
            texts[name] = ""
    origin = query.get("origin", "").strip()[:LONGEST]
    if origin and origin not in AuditEntry.Origin.values:
        notes["origin"] = f"Changes come from no “{origin}”; this filter is left out."
        origin = ""
    one = query.get("object", "").strip()[:LONGEST].replace("\0", "")
    if one and not all(one.partition(":")[::2]):
        notes["object"] = "Write object as kind:id, such as budgets.budget:7; this filter is left out."
        one = ""
    first, last = _day(query, "from", notes), _day(query, "to", notes)
    if first and last and last < first:
        notes["to"] = "The last day comes before the first; both are left out."
        first = last = None
    return Filter(
        **texts, object=one, origin=origin, first=first, last=last,
        before=_position(query, "before", notes), after=_position(query, "after", notes), notes=notes,
    )  # fmt: skip


def matching(asked: Filter, organisation: Organisation) -> QuerySet[AuditEntry]:
    """The filter's rows, newest first; days are the organisation's."""
    rows = AuditEntry.objects.order_by("-position")
    if asked.who:
        rows = rows.filter(who_text=asked.who)
    if asked.type:
        rows = rows.filter(object_type=asked.type)
    if asked.object:
        kind, _, identity = asked.object.partition(":")
        rows = rows.filter(object_type=kind, object_id=identity)
    if asked.act:
        rows = rows.filter(act=asked.act)
    if asked.origin:
        rows = rows.filter(origin=asked.origin)
    if asked.first:
        rows = rows.filter(at__gte=day_starts_at(asked.first, organisation.zone))
    if asked.last:
        rows = rows.filter(at__lt=day_starts_at(asked.last + DAY, organisation.zone))
    for word in asked.q.split()[:10]:
        rows = rows.alias(words=WORDS).filter(words=_prefix(word))
    return rows


@dataclass(frozen=True)
class Page:
    """Rows, newest first, and the positions with which the neighbouring pages begin."""

    rows: list[AuditEntry]
    newer_after: int | None
    older_before: int | None


def page_of(asked: Filter, organisation: Organisation, size: int = PER_PAGE) -> Page:
    """One page, in one statement."""
    rows = matching(asked, organisation).select_related("who")
    if asked.after is not None:
        found = list(rows.filter(position__gt=asked.after).order_by("position")[: size + 1])
        more, found = len(found) > size, found[:size][::-1]
        return Page(found, found[0].position if found and more else None, found[-1].position if found else None)
    if asked.before is not None:
        rows = rows.filter(position__lt=asked.before)
    found = list(rows[: size + 1])
    more, found = len(found) > size, found[:size]
    newer = found[0].position if found and asked.before is not None else None
    return Page(found, newer, found[-1].position if more else None)


def in_order(asked: Filter, organisation: Organisation, at_a_time: int = 2_000) -> Iterator[int]:
    """Positions of the filter's rows, oldest first, in blocks that are read as they are needed."""
    rows = matching(asked, organisation).order_by("position").values_list("position", flat=True)
    after = 0
    while True:
        found = list(rows.filter(position__gt=after)[:at_a_time])
        yield from found
        if len(found) < at_a_time:
            return
        after = found[-1]


def kinds() -> list[tuple[str, str]]:
    """(kind, its noun) of what has a history."""
    return sorted(((kind, wording_of(kind).noun) for kind in distinct("object_type")), key=lambda one: one[1])


def _prefix(word: str) -> SearchQuery:
    """Words that begin so. Quoted, because "&" or "!" in it would be operators."""
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    return SearchQuery(f"'{quoted}':*", config="simple", search_type="raw")


def _day(query: Mapping[str, str], name: str, notes: dict[str, str]) -> date | None:
    text = query.get(name, "").strip()[:LONGEST]
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1970 <= found.year <= 9000:
        notes[name] = f"“{text[:40]}” is no day; write it like 2026-11-22. This filter is left out."
        return None
    return found


def _position(query: Mapping[str, str], name: str, notes: dict[str, str]) -> int | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        notes[name] = "That page is not known; the newest rows are shown."
        return None
    return int(text)
