"""Why spend differs between two stretches of time: read both, split the difference, put it in words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from django.db import connection

from budgets.models import Organisation, Workflow
from budgets.pages.moments import day_year, span_year
from reports.asking.scope import Scope
from reports.why.behind import Behind, Span
from reports.why.factors import Split, split
from reports.why.facts import sentences
from reports.why.ledger import MONEY, read_ledger
from reports.why.rollup import UNTOLD, read_rollup, table_for
from reports.why.saying import LABELS, ORDER, causes, headline

READ_MOST = 150_000  # calls of both times together; more are compared by daily sums. One to two seconds on two cores
SEARCH_MOST = 2_000_000  # calls that those asked for are searched in, where no rollup holds what is asked for

# An upper bound that costs nothing: whole days, whatever is asked of them. Detached months have rollups only.
CALLS = """
SELECT coalesce(sum(calls) FILTER (WHERE {scope}), 0)::bigint,
    (SELECT (max(month) + interval '1 month')::timestamp AT TIME ZONE 'UTC' FROM usage_detached_month)
FROM usage_coreday WHERE (day >= %(a)s AND day <= %(b)s) OR (day >= %(c)s AND day <= %(d)s)"""


class Unread(Exception):
    """Why the two times cannot be compared, as a sentence."""


@dataclass(frozen=True)
class Part:
    """What one cause did: nano-dollars (or tokens, calls) more than before, below zero for less.

    `now` and `before` are the addresses of the calls behind it in the two times, `runs` that of runs; "" where there
    are none. `mostly` names the workflow that has most, `mostly_link` leads to its calls.
    """

    key: str
    label: str
    amount: int
    sentence: str
    now: str = ""
    before: str = ""
    runs: str = ""
    mostly: str = ""
    mostly_link: str = ""

    @property
    def link(self) -> str:
        """The calls of the later time; of the earlier one where only that has any."""
        return self.now or self.before


@dataclass(frozen=True)
class Explanation:
    """The difference `total` of what was spent `after` and `before`, as parts that sum to it exactly.

    `sentence` comes first on pages; `notes` say what could not be told apart. `how`: what was read. `all_before` is the
    address of all calls of the time before.
    """

    parts: tuple[Part, ...]
    total: int
    sentence: str
    before: int = 0
    after: int = 0
    measure: str = MONEY
    notes: tuple[str, ...] = ()
    how: Literal["ledger", "rollup"] = "ledger"
    all_before: str = ""

    @property
    def by_key(self) -> dict[str, int]:
        return {one.key: one.amount for one in self.parts}


def explain(
    scope: Scope,
    before: Span,
    after: Span,
    *,
    measure: str = MONEY,
    than: str = "",
    read_most: int = READ_MOST,
    named: frozenset[int] | None = None,
) -> Explanation:
    """What made `after` cost more or less than `before`: within the scope, exact to the nano-dollar.

    Thirteen statements, whatever there is. `than` names the time before in the sentence; its days where it is empty.
    `named` are the ids of the workflows that may be named to the reader, None for all. Raises Unread.
    """
    organisation = Organisation.get()
    zone = organisation.zone
    table = _rollup_for(scope, before, after, organisation, read_most)
    if table:
        low, high = (read_rollup(scope, *one, zone, table, measure) for one in (before, after))
    else:
        low, high = (read_ledger(scope, *one, measure) for one in (before, after))
    found = split(low, high)
    known = Workflow.objects.filter(pk__in={one.workflow for one in (*low.cells, *high.cells)})
    rows = [row for row in known.values_list("pk", "slug", "name") if named is None or row[0] in named]
    slugs = {pk: slug for pk, slug, _ in rows}
    behind = Behind(scope, (before, after), organisation, (low, high), found.touched, slugs, measure)
    than = than or _days(before, organisation)
    return Explanation(
        parts=parts_of(found, behind, {pk: name for pk, _, name in rows}),
        total=found.difference,
        sentence=headline(found.difference, found.parts, than, measure),
        before=low.total,
        after=high.total,
        measure=measure,
        notes=(UNTOLD,) if table else (),
        how="rollup" if table else "ledger",
        all_before=behind.everything(0),
    )


def cause(scope: Scope, before: Span, after: Span, read_most: int = READ_MOST) -> str:
    """The likely cause of spend above `before`, for a reader: "Longer inputs (conversation history) and more runs."

    "" where nothing was added. Compare stretches of one length: twice the hours have more runs.
    """
    try:
        found = explain(scope, before, after, read_most=read_most)
    except Unread:
        return ""
    said = causes(found.by_key)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def _rollup_for(scope: Scope, before: Span, after: Span, organisation: Organisation, read_most: int) -> str | None:
    """The rollup to read instead of the ledger: with too many calls in it, or after their month was detached.

    None where the ledger is read. Raises Unread where it would have to be, and cannot. One statement.
    """
    zone = organisation.zone
    tables = {table_for(scope, *one, zone) for one in (before, after)}
    if len(tables) > 1 and tables <= {"days", "quarters"}:
        tables = {"quarters"}
    table = tables.pop() if len(tables) == 1 else None
    days = [at.astimezone(zone).date() for at in (*before, *after)]
    params: dict[str, Any] = dict(zip("abcd", days, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(CALLS.format(scope=scope.core_sql(params)), params)
        calls, detached = cursor.fetchone()
    is_detached = detached is not None and min(before[0], after[0]) < detached
    if table is None and is_detached:
        first = organisation.local(detached).date()
        raise Unread(
            f"Single calls are kept from {day_year(first)} on, and daily sums do not hold these filters together for "
            f"exactly this time. Choose later days, or take a filter away."
        )
    if table is None and calls > SEARCH_MOST:
        raise Unread(
            f"These calls would have to be looked for among more than {SEARCH_MOST:,}, and daily sums do not hold "
            f"these filters together for exactly this time. Choose fewer days, or take a filter away."
        )
    return table if table and (calls > read_most or is_detached) else None


def parts_of(found: Split, behind: Behind, names: Mapping[int, str]) -> tuple[Part, ...]:
    """The parts with their words, in the order of LABELS. `names` are those of the workflows that may be named."""
    amounts = found.parts
    said = sentences(amounts, *behind.usage)
    several = len({one.workflow for side in behind.usage for one in side.cells}) > 1
    made = []
    for key in sorted(amounts, key=lambda one: ORDER[one]):
        before, now = behind.links(key)
        part = Part(key, LABELS[key], amounts[key], said[key], now, before, behind.runs(key))
        mostly = _top(amounts[key], found.by_workflow.get(key, {})) if several else None
        if mostly is not None and mostly in names:
            of_it = behind.links(key, mostly)
            part = replace(part, mostly=names[mostly], mostly_link=of_it[1] or of_it[0])
        made.append(part)
    return tuple(made)


def _top(part: int, where: Mapping[int, int]) -> int | None:
    """The workflow that has most of a part, if that is at least half of it."""
    side = 1 if part > 0 else -1
    top = max(where, key=lambda one: (where[one] * side, one), default=None)
    return top if top is not None and where[top] * side * 2 >= abs(part) else None


def _days(span: Span, organisation: Organisation) -> str:
    last = span[1] - timedelta(microseconds=1)
    return span_year(organisation.local(span[0]).date(), organisation.local(last).date())
