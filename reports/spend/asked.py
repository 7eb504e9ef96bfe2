"""What the explorer's address asks for: days, scope, grouping, comparison, figure. Page, CSV and JSON read it alike."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from budgets.models import Organisation
from reports.asking.scope import DIMENSIONS, NAMES, SCOPE_KEYS, Scope, scope_of
from reports.asking.window import COMPARISONS, WINDOW_KEYS, Window, compared, unknown, window_of

# Key, words, the sum of `Used` it is.
METRICS = {
    "money": ("Money", "cost"),
    "calls": ("Calls", "calls"),
    "input": ("Input tokens", "input_tokens"),
    "output": ("Output tokens", "output_tokens"),
}
SORTS = ("name", "cost", "calls", "tokens", "per_call", "change")
DEFAULT_SORT = "-cost"
KEYS = WINDOW_KEYS | SCOPE_KEYS | {"group", "stack", "compare", "metric", "sort", "page"}
MOST_HOURS = 2  # days that are drawn by hours


@dataclass(frozen=True)
class Asked:
    """A question to the explorer. `stack` is "" or a second dimension; `notes` say what was not understood.

    `kept` is what the addresses of one page below it have beside days and scope.
    """

    now: datetime
    window: Window
    scope: Scope
    group: str
    stack: str = ""
    compare: str = "none"
    metric: str = "money"
    sort: str = DEFAULT_SORT
    notes: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        return (self.group, self.stack) if self.stack else (self.group,)

    @property
    def figure(self) -> str:
        """The sum of `Used` that the chart draws."""
        return METRICS[self.metric][1]

    @property
    def by_hour(self) -> bool:
        return (self.window.last - self.window.first).days < MOST_HOURS

    @property
    def before(self) -> Window | None:
        return compared(self.window, self.compare)

    def address(self, **changes: Any) -> str:
        """The query string of the same question with some of it changed; from its first page, what is usual left out.

        `scope` and `window` are given whole.
        """
        one = replace(self, **changes)
        usual = {"group": usual_group(one.scope), "stack": "", "compare": "none", "metric": "money"}
        usual["sort"] = DEFAULT_SORT
        more = [(key, str(getattr(one, key))) for key in usual if getattr(one, key) != usual[key]]
        return urlencode([*one.window.query.items(), *one.scope.pairs(), *more])

    def where(self, scope: Scope | None = None) -> str:
        """The query string of days and scope, for runs and calls."""
        return urlencode([*self.window.query.items(), *(scope or self.scope).pairs(), *self.kept])


def asked_of(query: QueryDict, user: Any, organisation: Organisation, now: datetime) -> Asked:
    """What the address asks for, of what `user` sees. At most two statements."""
    plain = {key: str(value) for key, value in query.items()}
    window = window_of(plain, now, organisation.zone, organisation.fiscal_year_starts)
    scope, notes = scope_of(query, user)
    said = [window.note, *notes, unknown(query, KEYS)]

    def one_of(key: str, known: Any, usual: str, what: str) -> str:
        given = query.get(key) or usual
        if given == usual or given in known:
            return given
        said.append(f"“{given[:40]}” is no {what}; {'it was left out' if not usual else 'the usual one is shown'}.")
        return usual

    group = one_of("group", DIMENSIONS, usual_group(scope), "way to group")
    stack = one_of("stack", DIMENSIONS, "", "way to split")
    if stack == group:
        said.append(f"{NAMES[group]} is what the rows are already; choose another to split them by.")
        stack = ""
    sorts = {*SORTS, *(f"-{one}" for one in SORTS)}
    return Asked(
        now,
        window,
        scope,
        group,
        stack,
        one_of("compare", COMPARISONS, "none", "comparison"),
        one_of("metric", METRICS, "money", "figure to draw"),
        one_of("sort", sorts, DEFAULT_SORT, "order"),
        tuple(filter(None, said)),
    )


def usual_group(scope: Scope) -> str:
    """What is grouped by unless the address says so: models, or within one model workflows."""
    return "workflow" if len(scope.model) == 1 else "model"


def next_group(scope: Scope, group: str) -> str:
    """What a row is split by when it is opened: workflows of a team, models of a workflow, and so on."""
    for one in {"team": ("workflow",), "workflow": ("model", "stage")}.get(group, ("workflow", "model", "stage")):
        if one != group and len(scope.values(one)) != 1:
            return one
    return "task_type" if group != "task_type" else "status"
