"""Where the calls behind a part are listed: `/spend/calls/` with the same days and scope, and what makes the part.

Of the earlier time and of the later one alike, so that the two lists are what the part's sentence counts.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from budgets.models import Organisation
from reports.asking.narrowed import CALLS, KIND, UNTIL, VERSION
from reports.asking.scope import Scope, written
from reports.why.cells import LAYERS, Cell, Usage
from reports.why.ledger import TOKENS

Span = tuple[datetime, datetime]  # aware, the second not included
Pairs = tuple[tuple[str, str], ...]
FEW: Final = 12  # models, versions or workflows that an address names; with more of them the list has all

# What the list is narrowed to and sorted by.
CHOSEN: Final[Mapping[str, Pairs]] = {
    "runs": (("run", "any"),),
    "calls": (("run", "none"), ("sort", "-cost")),
    "channels": (("run", "channels"),),
    "steps": (("attempt", "first"), ("run", "any"), ("sort", "-step")),
    "retries": (("attempt", "trouble"), ("sort", "-cost")),
    "context": (("sort", "-input"),),
    **{f"context.{one}": (("layer", one), ("sort", "-layer")) for one in LAYERS},
    "output": (("sort", "-output"),),
    "cache": (("cache", "any"), ("sort", "-cached")),
    "terms": (("sort", "-input"),),
    "extras": (("cost", "extras"), ("sort", "-extras")),
    "unknown": (("cost", "unknown"),),
    "later": ((KIND, "priced-later"), ("sort", "-cost")),
    "corrections": ((KIND, "corrected"), ("sort", "-cost")),
    "withdrawn": ((KIND, "withdrawn"), ("sort", "-cost")),
}
DEAREST: Final[Pairs] = (("sort", "-cost"),)
OF_OTHERS: Final = {"later", "corrections", "withdrawn"}  # calls of other days
NOWHERE: Final = {"pending", "rounding"}
OF_RUNS: Final = {"runs": "-cost", "channels": "-cost", "steps": "-steps", "retries": "-retries"}
# Whether a side has such calls, where not all of its calls are.
HAS: Final[Mapping[str, Callable[[Cell], bool]]] = {
    "runs": lambda one: one.in_run,
    "channels": lambda one: one.in_run,
    "steps": lambda one: one.in_run and not one.retry,
    "calls": lambda one: not one.in_run,
    "retries": lambda one: one.retry or one.failed,
    "cache": lambda one: one.served or any(one.tokens[1:3]),
    "extras": lambda one: bool(one.extras),
    "unknown": lambda one: one.calls > one.known,
    **{f"context.{name}": lambda one, i=i: one.layers[i] > 0 for i, name in enumerate(LAYERS)},  # type: ignore[misc]
}


@dataclass(frozen=True)
class Behind:
    """What is compared: of which scope, when, and what was found there. `touched` are the values a part is about.

    `slugs` are the short names of workflows by id, of those that may be named.
    """

    scope: Scope
    spans: tuple[Span, Span]
    organisation: Organisation
    usage: tuple[Usage, Usage]
    touched: Mapping[str, Collection[str]]
    slugs: Mapping[int, str]
    measure: str

    def links(self, key: str, workflow: int | None = None) -> tuple[str, str]:
        """The addresses for the earlier and the later time, of one workflow alone or of all; "" where no call is."""
        return self._link(key, 0, workflow), self._link(key, 1, workflow)

    def everything(self, side: int) -> str:
        """All that a side's total is of, corrections of earlier calls too."""
        return self._address("spend-calls", self.scope, side, DEAREST)

    def runs(self, key: str) -> str:
        """The address of the runs of the later time, for what is a matter of runs; "" for else."""
        if key not in OF_RUNS or not any(one.in_run for one in self.usage[1].cells):
            return ""
        return self._address("spend-runs", self.scope, 1, (("sort", OF_RUNS[key]),))

    def _link(self, key: str, side: int, workflow: int | None) -> str:
        if key in NOWHERE or not self._has(key, side, workflow):
            return ""
        scope, chosen = self.scope, CHOSEN.get(key, DEAREST)
        if key == "workflows":
            slugs = [self.slugs.get(one, "") for one in self._only_of(side)]
            if len(slugs) > FEW or not all(slugs):
                return self._address("spend", scope, side, (("group", "workflow"),))
            scope = scope.only("workflow", *sorted(slugs))
        if key == "unknown" and self.measure == TOKENS:
            chosen = (("cost", "uncounted"),)
        untold = frozenset[str]().union(*(one.untold for one in self.usage)) if key == "untold" else ()
        few = sorted(untold or self.touched.get(key, ()))
        if 0 < len(few) <= FEW and len(few) < self._many(key):
            if key == VERSION:
                chosen = (*((VERSION, written(one)) for one in few), *chosen)
            else:
                scope = scope.only("service_tier" if key == "service_tier" else "model", *few)
        if workflow:
            scope = scope.only("workflow", self.slugs[workflow])
        is_of_calls = {name for name, _ in chosen} - {"sort"}
        if not is_of_calls and any(one.apart.keys() & OF_OTHERS for one in self.usage):
            chosen = ((KIND, CALLS), *chosen)
        return self._address("spend-calls", scope, side, chosen)

    def _has(self, key: str, side: int, workflow: int | None) -> bool:
        """Whether there are calls of a part at all on this side."""
        usage = self.usage[side]
        if any(key in one.apart for one in self.usage):
            return key in usage.apart
        if key == "workflows":
            return bool(self._only_of(side))
        if key == "channels" and not any(one.channels > one.runs for one in usage.runs.values()):
            return False
        has = HAS.get(key, bool)
        return any(has(one) for one in usage.cells if not workflow or one.workflow == workflow)

    def _only_of(self, side: int) -> set[int]:
        """The workflows that were used on this side only."""
        mine, others = ({one.workflow for one in self.usage[i].cells} for i in (side, 1 - side))
        return mine - others

    def _many(self, key: str) -> int:
        """How many models, service tiers or prompt versions there are."""
        cells = [one for side in self.usage for one in side.cells]
        if key == VERSION:
            return len({one.prompt_version for one in cells})
        if key == "service_tier":
            return len({one.service_tier for one in cells})
        return len({one.model[1] for one in cells}.union(*(one.untold for one in self.usage)))

    def _address(self, page: str, scope: Scope, side: int, more: Pairs) -> str:
        """Days of the organisation; where a time ends within a day, the moment as well."""
        starts, stops = self.spans[side]
        first, last = (self.organisation.local(at) for at in (starts, stops - timedelta(microseconds=1)))
        days = [("period", "custom"), ("from", first.date().isoformat()), ("to", last.date().isoformat())]
        end = self.organisation.local(stops)
        if page == "spend-calls" and (end.hour, end.minute, end.second, end.microsecond) != (0, 0, 0, 0):
            more = (*more, (UNTIL, stops.isoformat()))
        return f"{reverse(page)}?{urlencode([*days, *scope.pairs(), *more])}"
