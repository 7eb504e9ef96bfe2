"""Why spend differs between two stretches of time: read both, split the difference, put it in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

from django.db import connection
from django.urls import NoReverseMatch, reverse

from budgets.models import Organisation, Workflow
from budgets.pages.moments import day_year, span_year
from reports.asking.scope import Scope
from reports.why.cells import Usage
from reports.why.factors import split
from reports.why.facts import sentences
from reports.why.ledger import MONEY, read_ledger
from reports.why.rollup import UNTOLD, read_rollup, table_for
from reports.why.saying import LABELS, ORDER, causes, headline, whole_of

READ_MOST = 150_000  # calls of both times together; more are compared by daily sums. Two to three seconds on two cores
SEARCH_MOST = 2_000_000  # calls that those asked for are searched in, where no rollup holds what is asked for
Span = tuple[datetime, datetime]  # aware, the second not included

# An upper bound that costs nothing: whole days, whatever is asked of them. Detached months have rollups only.
CALLS = """
SELECT coalesce(sum(calls) FILTER (WHERE {scope}), 0)::bigint,
    (SELECT (max(month) + interval '1 month')::timestamp AT TIME ZONE 'UTC' FROM usage_detached_month)
FROM usage_coreday WHERE (day >= %(a)s AND day <= %(b)s) OR (day >= %(c)s AND day <= %(d)s)"""
# Where a part's calls are shown: the page by name, and what its address says beside scope and days.
BEHIND: dict[str, tuple[str, dict[str, str]]] = {
    "runs": ("spend-runs", {}),
    "workflows": ("spend", {"group": "workflow"}),
    "channels": ("spend", {"group": "channel"}),
    "steps": ("spend-runs", {"sort": "-steps"}),
    "retries": ("spend-runs", {"sort": "-retries"}),
    "model": ("spend", {"group": "model"}),
    "service_tier": ("spend", {"group": "service_tier"}),
    "price": ("spend", {"group": "model"}),
}
NOWHERE = {"plan", "pending", "rounding"}


class Unread(Exception):
    """Why the two times cannot be compared, as a sentence."""


@dataclass(frozen=True)
class Part:
    """What one cause did: nano-dollars (or tokens, calls) more than before, below zero for less.

    `link` is the address of the calls behind it, "" where there is none. `mostly` names the workflow that has most.
    """

    key: str
    label: str
    amount: int
    sentence: str
    link: str
    mostly: str = ""


@dataclass(frozen=True)
class Explanation:
    """The difference `total` of what was spent `after` and `before`, as parts that sum to it exactly.

    `sentence` comes first on pages; `notes` say what could not be told apart. `how`: what was read.
    """

    parts: tuple[Part, ...]
    total: int
    sentence: str
    before: int = 0
    after: int = 0
    measure: str = MONEY
    notes: tuple[str, ...] = ()
    how: Literal["ledger", "rollup"] = "ledger"

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
    than = than or _days(before, organisation)
    return Explanation(
        parts=parts_of(scope, (before, after), organisation, found.parts, found.by_workflow, (low, high), named),
        total=found.difference,
        sentence=headline(found.difference, found.parts, than, measure),
        before=low.total,
        after=high.total,
        measure=measure,
        notes=(UNTOLD,) if table else (),
        how="rollup" if table else "ledger",
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


def parts_of(
    scope: Scope,
    spans: tuple[Span, Span],
    organisation: Organisation,
    amounts: Mapping[str, int],
    by_workflow: Mapping[str, Mapping[int, int]],
    usage: tuple[Usage, Usage],
    named: frozenset[int] | None = None,
) -> tuple[Part, ...]:
    """The parts with their words, in the order of LABELS. One statement, for the names of workflows."""
    said = sentences(amounts, *usage)
    top = {key: _top(amounts[key], where) for key, where in by_workflow.items() if amounts.get(key)}
    rows = Workflow.objects.filter(pk__in={one for one in top.values() if one}).values_list("pk", "slug", "name")
    names = {pk: (slug, name) for pk, slug, name in rows if named is None or pk in named}
    several = len({one.workflow for side in usage for one in side.cells}) > 1
    made = []
    for key in sorted(amounts, key=lambda one: ORDER[one]):
        slug, name = names.get(top.get(key) or 0, ("", ""))
        made.append(
            Part(
                key=key,
                label=LABELS[key],
                amount=amounts[key],
                sentence=said[key],
                link=link_to(key, scope, spans[_side(key, top.get(key), usage)], organisation, slug if several else ""),
                mostly=name if several else "",
            )
        )
    return tuple(made)


def _side(key: str, workflow: int | None, usage: tuple[Usage, Usage]) -> int:
    """On which side the calls behind a part are: 1, the later one, but for what is only, or mostly, on the other."""
    low, high = usage
    if key in low.apart or key in high.apart:
        return int(abs(high.apart.get(key, 0)) >= abs(low.apart.get(key, 0)))
    return int(any(one.workflow == workflow or not workflow for one in high.cells) or not low.cells)


def _top(part: int, where: Mapping[int, int]) -> int | None:
    """The workflow that has most of a part, if that is at least half of it."""
    side = 1 if part > 0 else -1
    top = max(where, key=lambda one: (where[one] * side, one), default=None)
    return top if top is not None and where[top] * side * 2 >= abs(part) else None


def link_to(key: str, scope: Scope, days_of: Span, organisation: Organisation, workflow: str = "") -> str:
    """The address of the calls behind a part; "" where there are none to show."""
    if key in NOWHERE:
        return ""
    page, more = BEHIND.get(whole_of(key), ("spend-calls", {}))
    first, last = days_of[0], days_of[1] - timedelta(microseconds=1)
    days = {"period": "custom"}
    days |= {"from": organisation.local(first).date().isoformat(), "to": organisation.local(last).date().isoformat()}
    narrowed = scope.only("workflow", workflow) if workflow and key != "workflows" else scope
    for name in (page, "spend"):
        try:
            return f"{reverse(name)}?{urlencode([*days.items(), *narrowed.pairs(), *more.items()])}"
        except NoReverseMatch:
            continue
    return ""


def _days(span: Span, organisation: Organisation) -> str:
    last = span[1] - timedelta(microseconds=1)
    return span_year(organisation.local(span[0]).date(), organisation.local(last).date())
