"""Single rows of the ledger for pages: those behind a figure, those of one run, one call with what corrected it.

The ledger is found by when rows count (`posted_at`), and of what counts elsewhere than at its own time by an index of
just those; so a run is looked for between its first and last call, and among the late ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, transaction

from reports.asking.narrowed import EVERYTHING, Narrowed
from reports.asking.scope import Scope
from reports.asking.window import Window, of_days
from reports.spend.cells import USED
from reports.spend.sums import Used, readable, sum_of
from usage.models import LedgerEntry, Run
from usage.rollups.sums import SUMS

FIELDS = tuple(str(field.column) for field in LedgerEntry._meta.local_fields)
READ = ", ".join(f"l.{name}" for name in FIELDS)
NAMED = """coalesce(target.slug, own.slug), coalesce(target.name, own.name), own.slug"""
JOINED = """JOIN budgets_workflow own ON own.id = l.workflow_id
    LEFT JOIN budgets_workflow target ON target.id = own.merged_into_id"""
BEHIND = f"""
SELECT {NAMED}, {READ} FROM {{rows}} AS l {JOINED}
ORDER BY {{order}}l.posted_at DESC, l.id DESC LIMIT %(limit)s"""
TOTAL = f"""
SELECT {", ".join(USED)} FROM (SELECT {SUMS} FROM {{rows}} AS l) AS summed"""
OF_RUN = f"""
SELECT {NAMED}, {READ} FROM (
    SELECT * FROM usage_ledger WHERE posted_at >= %(first)s AND posted_at <= %(last)s
        AND run_id = %(run)s AND workflow_id = ANY(%(workflows)s::int[])
    UNION ALL
    SELECT * FROM usage_ledger WHERE posted_at > %(last)s AND posted_at <> time
        AND run_id = %(run)s AND workflow_id = ANY(%(workflows)s::int[])
) AS l {JOINED} ORDER BY l.time, l.step NULLS FIRST, l.attempt NULLS FIRST, l.kind, l.id LIMIT %(limit)s"""
ONE = f"""
SELECT {NAMED}, {READ} FROM usage_ledger l {JOINED} WHERE l.posted_at = %(at)s AND l.id = %(id)s"""
CORRECTING = f"""
SELECT {NAMED}, {READ} FROM (
    SELECT * FROM usage_ledger WHERE posted_at = %(at)s AND corrects = %(id)s
    UNION ALL
    SELECT * FROM usage_ledger WHERE posted_at > %(at)s AND posted_at <> time AND corrects = %(id)s
) AS l {JOINED} ORDER BY l.id"""
# Months that fill quickly look small to the planner until they are analysed; it would read all of them.
BY_INDEX = "SET LOCAL enable_seqscan = off"
# What rows are sorted by: SQL, and in words from the largest on and from the smallest on; those of a layer name it.
SORTS = {
    "time": ("l.posted_at", "the newest first", "the oldest first"),
    "cost": ("l.cost", "the dearest first", "the cheapest first"),
    "input": ("l.input_tokens", "the longest inputs first", "the shortest inputs first"),
    "output": ("l.output_tokens", "the longest answers first", "the shortest answers first"),
    "cached": ("l.cached_input_tokens", "most from a cache first", "least from a cache first"),
    "step": ("l.step", "the highest steps first", "the lowest steps first"),
    "layer": ("(l.context ->> %(layer)s::text)::bigint", "", ""),
    "extras": ("l.cost_units", "the dearest extras first", "the cheapest extras first"),
}
NEWEST = "-time"
KINDS = {0: "Call", 1: "Correction", 2: "Withdrawal"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JSON = ("units", "context", "tags")


@dataclass(frozen=True)
class Entry:
    """A row of the ledger. `stated` has every column by its name; JSON is read, and instants are aware (UTC).

    `workflow` is what it counts as, `named` the workflow that the event named.
    """

    workflow: str
    workflow_name: str
    named: str
    stated: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.stated[name]
        except KeyError as error:
            raise AttributeError(name) from error

    @property
    def kind_words(self) -> str:
        return KINDS[self.stated["kind"]]

    @property
    def is_call(self) -> bool:
        return bool(self.stated["kind"] == LedgerEntry.Kind.CALL)

    @property
    def moment(self) -> int:
        """`posted_at` in microseconds since 1970: with the id, the address of the row."""
        at: datetime = self.stated["posted_at"]
        return (at - EPOCH) // timedelta(microseconds=1)


def instant(microseconds: int) -> datetime | None:
    """Undo `Entry.moment`; None for what is no instant."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def behind(
    scope: Scope, window: Window, limit: int, narrowed: Narrowed = EVERYTHING, sort: str = NEWEST
) -> tuple[list[Entry], Window]:
    """The first rows of a scope, and the days they were looked for in. At most three statements.

    For the newest ones the last day is read first, and all that may be read only where that has too few.
    """
    found: list[Entry] = []
    whole = readable(window) if window.first < window.last else window
    newest = of_days(window.last, window.last, window.today, window.zone)
    for read in (newest, whole) if narrowed.is_everything and sort == NEWEST else (whole,):
        params = {"starts": read.starts_at, "stops": read.stops_at, "limit": limit, "layer": narrowed.layer}
        found = list(_read(BEHIND.format(rows=narrowed.rows_sql(scope, params), order=order_of(sort)), params))
        if len(found) >= limit:
            break  # there are that many already; days before are not looked at
    return found, whole


def order_of(sort: str) -> str:
    """The first of ORDER BY, with its comma; "" for the newest first. What states none of it comes last."""
    if sort == NEWEST:
        return ""
    return f"{SORTS[sort.removeprefix('-')][0]} {'DESC' if sort.startswith('-') else 'ASC'} NULLS LAST, "


def total_of(scope: Scope, read: Window, narrowed: Narrowed) -> Used:
    """The sum of such rows in the days that were read. One statement."""
    params: dict[str, Any] = {"starts": read.starts_at, "stops": read.stops_at}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(TOTAL.format(rows=narrowed.rows_sql(scope, params)), params)
        return Used(*(int(one) for one in cursor.fetchone()))


@dataclass(frozen=True)
class FoundRun:
    """The rows of a run by time, and its summaries: one for each name its workflow had. `cut`: there are more rows."""

    entries: tuple[Entry, ...]
    summaries: tuple[Run, ...]
    cut: bool

    @property
    def used(self) -> Used:
        """Of all its rows, corrections and withdrawals too."""
        return sum_of(Used(**{name: getattr(one, name) for name in USED}) for one in self.summaries)

    @property
    def first(self) -> datetime:
        return min(one.first_call for one in self.summaries)

    @property
    def last(self) -> datetime:
        return max(one.last_call for one in self.summaries)


def read_run(workflow_ids: Sequence[int], run_id: str, limit: int) -> FoundRun | None:
    """A run of a workflow (its own id and those of its aliases); None where there is none. Two statements."""
    summaries = tuple(Run.objects.filter(workflow_id__in=workflow_ids, run_id=run_id))
    if not summaries:
        return None
    params = {
        "first": min(one.first_call for one in summaries),
        "last": max(one.last_call for one in summaries),
        "run": run_id,
        "workflows": list(workflow_ids),
        "limit": limit + 1,
    }
    found = list(_read(OF_RUN, params))
    return FoundRun(tuple(found[:limit]), summaries, len(found) > limit)


def read_call(at: datetime, pk: int) -> tuple[Entry, list[Entry]] | None:
    """One row with the rows that correct it or take it back; None where there is none. Two statements."""
    found = list(_read(ONE, {"at": at, "id": pk}))
    return (found[0], list(_read(CORRECTING, {"at": at, "id": pk}))) if found else None


def _read(statement: str, params: dict[str, Any]) -> Iterator[Entry]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    for slug, name, named, *values in rows:
        stated = dict(zip(FIELDS, values, strict=True))
        for key in JSON:
            if isinstance(stated[key], str):
                stated[key] = msgspec.json.decode(stated[key])
        yield Entry(slug, name, named, stated)
