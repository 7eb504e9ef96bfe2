"""What the address of *Why* asks for: which days against which, and of what. Page, CSV and JSON read it alike."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from budgets.models import Organisation
from reports.asking.scope import SCOPE_KEYS, Scope, scope_of
from reports.asking.window import (
    COMPARISONS,
    WINDOW_KEYS,
    Window,
    compared,
    compared_name,
    custom_days,
    of_days,
    unknown,
    window_of,
)

USUAL = "previous"
CHOSEN = "days"  # the days to compare with stand in the address
BEFORE_KEYS = ("before-from", "before-to")
# What the explorer's address says beside days and filters may stay in it when somebody comes from there.
PASSED = frozenset({"group", "stack", "metric", "sort", "page"})
KEYS = WINDOW_KEYS | SCOPE_KEYS | PASSED | {"compare", *BEFORE_KEYS}
WAYS = {key: words for key, words in COMPARISONS.items() if key != "none"}


@dataclass(frozen=True)
class Question:
    """`after` are the complete days of `window`, None where there is none yet; all of it where both were chosen."""

    window: Window
    scope: Scope
    compare: str
    after: Window | None
    before: Window | None
    notes: tuple[str, ...] = ()

    @property
    def before_name(self) -> str:
        """What is compared with, as the sentence names it: its days."""
        return self.before.days_words if self.before else ""

    @property
    def way(self) -> str:
        """How the other days were chosen, for the menu."""
        if not self.before or not self.after:
            return WAYS.get(self.compare, WAYS[USUAL])
        if self.compare == CHOSEN:
            return self.before.days_words
        return compared_name(self.window, self.before, self.compare)

    def address(self, **changes: Any) -> str:
        """The query string of the same question, with another `window`, `scope` or `compare`."""
        one = replace(self, **changes)
        found = [*one.window.query.items(), *one.scope.pairs()]
        if one.compare == CHOSEN and one.before:
            found += zip(BEFORE_KEYS, (one.before.first.isoformat(), one.before.last.isoformat()), strict=True)
        elif one.compare != USUAL:
            found.append(("compare", one.compare))
        return urlencode(found)


def question_of(query: QueryDict, user: Any, organisation: Organisation, now: datetime) -> Question:
    """What the address asks for, of what `user` sees. At most two statements."""
    given = {name: query.get(name, "") for name in query}
    window = window_of(given, now, organisation.zone, organisation.fiscal_year_starts)
    scope, notes = scope_of(query, user)
    said = [window.note, *notes, unknown(query, KEYS)]
    compare = given.get("compare") or USUAL
    if compare not in WAYS:
        if compare != "none":
            said.append(f"“{compare[:40]}” is no comparison; the usual one is shown.")
        compare = USUAL
    after = window.complete
    before = compared(window, compare)
    if any(name in given for name in BEFORE_KEYS):
        days = {"from": given.get(BEFORE_KEYS[0], ""), "to": given.get(BEFORE_KEYS[1], "")}
        first, last, wrong = custom_days(days, window.today)
        if wrong:
            said.append(f"For the days to compare with: {wrong} The usual ones are taken.")
        else:
            compare, after = CHOSEN, window
            before = of_days(first, min(last, window.today), window.today, window.zone)
    return Question(window, scope, compare, after, before, tuple(filter(None, said)))
