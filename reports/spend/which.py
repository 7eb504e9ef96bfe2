"""Which calls the address of their list asks for, and in which order; page, CSV and JSON read it alike."""

from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest

from budgets.models import Organisation
from budgets.pages.moments import clock, day_year
from reports.asking.layers import LAYER_WORDS
from reports.asking.narrowed import CHOICES, KIND, KINDS, NARROWED_KEYS, UNTIL, VERSION, WORDS, Narrowed, narrowed_of
from reports.asking.scope import SCOPE_KEYS
from reports.asking.window import WINDOW_KEYS
from reports.spend.asked import Asked
from reports.spend.below import asked_for
from reports.spend.entries import NEWEST, SORTS

KEYS = WINDOW_KEYS | SCOPE_KEYS | NARROWED_KEYS
HEADINGS = (
    ("time", "When", False),
    ("step", "Step", False),
    ("", "Model", False),
    ("", "Result", False),
    ("input", "Tokens in", True),
    ("output", "Tokens out", True),
    ("", "Took", True),
    ("cost", "Cost", True),
)


@dataclass(frozen=True)
class Which:
    """`asked.kept` is what the address says of `narrowed` and `sort`, so that links within the page keep it."""

    asked: Asked
    narrowed: Narrowed
    sort: str

    def address(self, narrowed: Narrowed | None = None, sort: str = "") -> str:
        """The query string of the same list, narrowed or sorted otherwise."""
        return replace(self.asked, kept=kept(narrowed or self.narrowed, sort or self.sort)).where()


def kept(narrowed: Narrowed, sort: str) -> tuple[tuple[str, str], ...]:
    """What stands in the address beside days and scope."""
    if sort.removeprefix("-") == "layer" and not narrowed.layer:
        sort = NEWEST
    return (*narrowed.pairs(), *([("sort", sort)] if sort != NEWEST else []))


def which_of(request: HttpRequest, organisation: Organisation) -> Which:
    """What the address asks for; notes say what of it was not understood."""
    asked = asked_for(request, organisation, KEYS)
    narrowed, notes = narrowed_of(request.GET)
    sort = request.GET.get("sort") or NEWEST
    key = sort.removeprefix("-")
    if key not in SORTS or (key == "layer" and not narrowed.layer):
        notes = (*notes, f"Calls cannot be sorted by “{sort[:40]}”; the newest come first.")
        sort = NEWEST
    return Which(replace(asked, notes=(*asked.notes, *notes), kept=kept(narrowed, sort)), narrowed, sort)


def order_words(which: Which) -> str:
    """ "the newest first", "most conversation history first"."""
    if which.sort.endswith("layer"):
        return f"{'most' if which.sort.startswith('-') else 'least'} {LAYER_WORDS[which.narrowed.layer]} first"
    _, largest, smallest = SORTS[which.sort.removeprefix("-")]
    return largest if which.sort.startswith("-") else smallest


def headings(which: Which) -> list[dict[str, Any]]:
    """Words, the query that sorts by it ("" where nothing does), which way it is sorted now."""
    found = []
    for key, words, is_number in HEADINGS:
        way = {key: "ascending", f"-{key}": "descending"}.get(which.sort, "") if key else ""
        query = which.address(sort=key if which.sort == f"-{key}" else f"-{key}") if key else ""
        found.append({"words": words, "number": is_number, "query": query, "way": way})
    return found


def chips(which: Which, organisation: Organisation) -> list[dict[str, str]]:
    """Each choice that narrows the list, and the query without it."""
    one = which.narrowed
    found = [(key, WORDS[key], CHOICES[key][1][value][0], "") for key, value in one.chosen]
    if one.kind:
        found.append((KIND, WORDS[KIND], KINDS[one.kind][0], ""))
    found += [(VERSION, WORDS[VERSION], value or "Not stated", value) for value in one.versions]
    if one.until:
        local = organisation.local(one.until)
        found.append((UNTIL, "Until", f"{day_year(local.date())}, {clock(local)}", ""))
    return [
        {"words": words, "value": said, "where": which.address(one.without(key, value))}
        for key, words, said, value in found
    ]


def menu(which: Which) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Each heading with its choices: words, query, whether it is chosen."""
    chosen = dict(which.narrowed.chosen)
    return [
        (heading, [(words, which.address(which.narrowed.choosing(key, value)), chosen.get(key) == value)
                   for value, (words, _) in values.items()])
        for key, (heading, values) in CHOICES.items()
    ]  # fmt: skip
