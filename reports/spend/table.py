"""The explorer's table: rows in the order asked for, page by page, each with share, cost per call and change."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from django.core.paginator import Page, Paginator

from budgets.pages import amounts
from reports.spend.asked import Asked, next_group
from reports.spend.explore import Explored, Line, known
from reports.spend.sums import Used
from usage.prices.known import priced
from usage.prices.showing import cost_words

PER_PAGE = 50
# Key of sorting, words, whether it is a number.
HEADINGS = (
    ("name", "", False),
    ("cost", "Spent", True),
    ("calls", "Calls", True),
    ("tokens", "Tokens in and out", True),
    ("per_call", "Per call", True),
    ("change", "Change", True),
)


@dataclass(frozen=True)
class Shown:
    """A row as the page has it. `open_` is the query that opens it, "" for all others; amounts are finished text."""

    labels: tuple[str, ...]
    money: str
    share: str
    per_call: str
    used: Used
    change: str
    is_more: bool
    open_: str
    calls_query: str


def ordered(found: Explored) -> list[Line]:
    """All rows as `sort` says; all others together always last."""
    sort = found.asked.sort
    key, down = sort.removeprefix("-"), sort.startswith("-")

    def value(line: Line) -> Any:
        if key == "name":
            return tuple(label.casefold() for label in line.labels)
        if key == "per_call":
            return per_call(line.used) or Fraction(0)
        if key == "change":
            return line.difference or 0
        return getattr(line.used, key)

    rest = [line for line in found.lines if None in line.keys]
    named = sorted((line for line in found.lines if None not in line.keys), key=lambda line: line.labels)
    return [*sorted(named, key=value, reverse=down), *rest]


def paged(lines: Sequence[Line], number: str | None) -> Page[Any]:
    return Paginator(lines, PER_PAGE).get_page(number)


def headings(found: Explored) -> list[dict[str, Any]]:
    """Words, the query that sorts by it (the other way at the second click), which way it is sorted now."""
    asked, out = found.asked, []
    for key, words, is_number in HEADINGS:
        if key == "change" and found.other is None:
            continue
        first, second = (f"-{key}", key) if is_number else (key, f"-{key}")
        way = {key: "ascending", f"-{key}": "descending"}.get(asked.sort, "")
        query = asked.address(sort=second if asked.sort == first else first)
        out.append({"words": words, "number": is_number, "query": query, "way": way})
    return out


def shown(line: Line, found: Explored) -> Shown:
    """One row, finished."""
    asked, used = found.asked, line.used
    opened = ""
    calls = ""
    if None not in line.keys:
        scope = asked.scope
        for dimension, key in zip(asked.groups, line.keys, strict=True):
            scope = scope.only(dimension, key or "")
        group = next_group(scope, asked.groups[-1])
        opened = asked.address(scope=scope, group=group, stack="", sort="-cost")
        calls = asked.where(scope)
    return Shown(
        labels=line.labels,
        money=cost_words(used),
        share=share(used.cost, found.total.cost),
        per_call=amounts.per_unit(used.cost, priced(used)) if used.cost else "",
        used=used,
        change=change(line, asked),
        is_more=(line.difference or 0) > 0,
        open_=opened,
        calls_query=calls,
    )


def cell(used: Used, asked: Asked) -> str:
    """The figure asked for in a column of the chart's table, whose caption names the currency."""
    figure = known(used, asked.figure)
    if figure is None:
        return cost_words(used)
    return amounts.plain_cents(figure) if asked.metric == "money" else f"{figure:,}"


def per_call(used: Used) -> Fraction | None:
    return Fraction(used.cost, priced(used)) if priced(used) else None


def share(part: int, whole: int) -> str:
    """ "12.5%": tenths, cut, at least "0.1%" for what is something; "" where it means nothing."""
    if whole <= 0 or part <= 0:
        return ""
    tenths = max(1, part * 1000 // whole)
    return f"{tenths // 10}%" if tenths % 10 == 0 else f"{tenths / 10}%"


def change(line: Line, asked: Asked) -> str:
    """ "+$12 (8%)", "new", "none now" against the days compared with; "" without a comparison."""
    if line.now is None or line.before is None:
        return ""
    return change_words(line.now, line.before, asked.metric)


def change_words(now: int, before: int, metric: str) -> str:
    difference = now - before
    if not difference:
        return "the same" if before else "–"
    amount = amounts.whole(abs(difference)) if metric == "money" else amounts.short_count(abs(difference))
    signed = f"{'+' if difference > 0 else amounts.MINUS}{amount}"
    if before <= 0:
        return f"{signed}, new" if not before else signed
    percent = round(Fraction(abs(difference) * 100, before))
    return f"{signed} ({percent:,}%)" if now else f"{signed}, none now"
