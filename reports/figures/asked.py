"""What the address of the figures asks for: days, scope, comparison. Page, JSON, CSV and API read it alike."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from budgets.models import Organisation
from reports.asking.scope import SCOPE_KEYS, Scope, scope_of
from reports.asking.window import COMPARISONS, WINDOW_KEYS, Window, compared, compared_name, unknown, window_of

USUAL = "previous"
KEYS = WINDOW_KEYS | SCOPE_KEYS | {"compare"}


@dataclass(frozen=True)
class Asked:
    """A question. `notes` say what was not understood; `before` are the days compared with, if any."""

    now: datetime
    window: Window
    scope: Scope
    compare: str = USUAL
    notes: tuple[str, ...] = ()

    @property
    def before(self) -> Window | None:
        return compared(self.window, self.compare)

    @property
    def before_name(self) -> str:
        before = self.before
        return compared_name(self.window, before, self.compare) if before else ""

    @property
    def before_words(self) -> str:
        """ "same days in October", within a sentence."""
        name = self.before_name
        return f"{name[:1].lower()}{name[1:]}"

    def address(self, **changes: Any) -> str:
        """The query string of the same question with some of it changed; what is usual left out."""
        one = replace(self, **changes)
        compare = [] if one.compare == USUAL else [("compare", one.compare)]
        return urlencode([*one.window.query.items(), *one.scope.pairs(), *compare])

    def spend(self, scope: Scope, group: str = "") -> str:
        """The query string for the explorer, with the same days and filters."""
        more = [("group", group)] if group else []
        compare = [] if self.compare == "none" else [("compare", self.compare)]
        return urlencode([*self.window.query.items(), *scope.pairs(), *more, *compare])


def asked_of(query: QueryDict, user: Any, organisation: Organisation, now: datetime) -> Asked:
    """What the address asks for, of what `user` (a person or a key) sees. At most two statements."""
    window = window_of(_plain(query), now, organisation.zone, organisation.fiscal_year_starts)
    scope, notes = scope_of(query, user)
    said = [window.note, *notes, unknown(query, KEYS)]
    compare = query.get("compare") or USUAL
    if compare not in COMPARISONS:
        said.append(f"“{compare[:40]}” is no comparison; the days before are compared.")
        compare = USUAL
    return Asked(now, window, scope, compare, tuple(filter(None, said)))


def _plain(query: QueryDict) -> dict[str, str]:
    """The last value of each name."""
    return {name: query.get(name, "") for name in query}
