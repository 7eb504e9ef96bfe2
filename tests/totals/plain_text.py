"""How a total has to read, by the roundings that the pages state; and what stands in a page that was answered."""

import csv
import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from html.parser import HTMLParser
from typing import Any

NANO = 1_000_000_000
MINUS = "−\u2060"  # joined to what follows, so that no line breaks between
APART = {"span", "td", "th", "dt", "dd", "p", "small", "h2", "h3", "li"}
VOID = {"meta", "link", "input", "br", "hr", "img", "rect", "line", "use", "polyline", "polygon", "path", "col"}


class Currency:
    """What pages show: so many units of `symbol` for a dollar."""

    def __init__(self, code: str = "USD", symbol: str = "$", per_dollar: str = "1") -> None:
        self.code, self.symbol, self.per_dollar = code, symbol, Fraction(per_dollar)

    def units(self, nano: int) -> Fraction:
        return Fraction(nano, NANO) * self.per_dollar

    def hundredths(self, nano: int) -> int:
        return away(self.units(nano) * 100)

    def plain(self, nano: int) -> str:
        """ "1,164.52"."""
        number = self.hundredths(nano)
        return f"{'−' if number < 0 else ''}{abs(number) // 100:,}.{abs(number) % 100:02}"

    def cents(self, nano: int) -> str:
        """ "$1,164.52"; "under $0.01" for what would round to nothing."""
        number = self.hundredths(nano)
        if nano and not number:
            return f"under {self.symbol}0.01"
        return f"{MINUS if number < 0 else ''}{self.symbol}{abs(number) // 100:,}.{abs(number) % 100:02}"

    def whole(self, nano: int) -> str:
        """ "$18,420"; below ten with cents."""
        if abs(self.units(nano)) < 10:
            return self.cents(nano)
        number = away(self.units(nano))
        return f"{MINUS if number < 0 else ''}{self.symbol}{abs(number):,}"

    def per(self, nano: int, many: int) -> str:
        """What one of so many cost, to three decimals."""
        if not many:
            return ""
        number = away(self.units(nano) / many * 1000)
        if nano and not number:
            return f"under {self.symbol}0.001"
        return f"{MINUS if number < 0 else ''}{self.symbol}{abs(number) // 1000:,}.{abs(number) % 1000:03}"

    def drawn(self, nano: int) -> float:
        """The number that a chart is given: cents."""
        return float(Decimal(self.hundredths(nano)) / 100)

    def exact(self, nano: int) -> Fraction:
        """As CSV has it, to nine decimals, half to even."""
        return Fraction(round(self.units(nano) * NANO), NANO)

    def amount(self, value: int, metric: str) -> str:
        """ "$8,000", "1.2M tokens", "1 call"."""
        if metric == "money":
            return self.whole(value)
        return f"{short(value)} {metric if abs(value) != 1 else metric[:-1]}"

    def of(self, spent: int, limit: int, metric: str) -> str:
        """ "$6,412 of $8,000 (80%)"."""
        said = self.whole(spent) if metric == "money" else short(spent)
        return f"{said} of {self.amount(limit, metric)} ({whole_percent(spent, limit)}%)"


def away(value: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    number = int(abs(value) + Fraction(1, 2))
    return -number if value < 0 else number


def whole_percent(part: int, of: int) -> int:
    """Cut towards zero."""
    return int(Fraction(part * 100, of)) if of else 100


def short(number: int) -> str:
    """ "1.2M", "35,400"."""
    for size, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if abs(number) >= size:
            tenths = away(Fraction(number * 10, size))
            return (f"{tenths // 10:,}" if tenths % 10 == 0 else f"{tenths / 10:,.1f}") + letter
    return f"{number:,}"


def some(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def share(part: int, of: int) -> str:
    """ "97.3%": tenths, cut; "0.1%" at least."""
    if not of:
        return "–"
    tenths = int(Fraction(part * 1000, of))
    if part > 0 and tenths <= 0:
        tenths = 1
    return f"{tenths // 10}%" if tenths % 10 == 0 else f"{tenths / 10}%"


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def day_words(day: Any) -> str:
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"


def day_words_of(first: Any, last: Any) -> Callable[[Any], str]:
    """What days are called in a table from one to the other: with their year where it has several."""
    return (lambda day: f"{day_words(day)} {day.year}") if first.year != last.year else day_words


class Node:
    """An element: its tag, classes, attributes and children."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes, self.children = tag, attributes, []  # type: ignore[var-annotated]

    @property
    def classes(self) -> set[str]:
        return set((self.attributes.get("class") or "").split())

    @cached_property
    def below(self) -> "list[Node]":
        """All elements in it. Kept, since a page is asked for hundreds of things once it is read."""
        return [found for one in self.children if isinstance(one, Node) for found in (one, *one.below)]

    def all(self, tag: str, *classes: str, **attributes: str) -> "list[Node]":
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [
            one
            for one in self.below
            if one.tag == tag
            and set(classes) <= one.classes
            and all(one.attributes.get(name) == value for name, value in wanted.items())
        ]

    def one(self, tag: str, *classes: str, **attributes: str) -> "Node":
        found = self.all(tag, *classes, **attributes)
        assert found, f"no {tag} {classes} {attributes} in {self.text[:500]}"
        return found[0]

    @property
    def text(self) -> str:
        return " ".join("".join(self._pieces()).split())

    def _pieces(self) -> "Iterator[str]":
        for one in self.children:
            if isinstance(one, str):
                yield one
            elif one.tag not in {"script", "style", "title", "svg"}:
                gap = " " if one.tag in APART else ""
                yield gap
                yield from one._pieces()
                yield gap

    def lines(self) -> "list[list[str]]":
        """Rows of the first table in it, as text of their cells."""
        return [
            [cell.text for cell in row.children if isinstance(cell, Node) and cell.tag in {"td", "th"}]
            for row in self.one("table").all("tr")
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.top = Node("page", {})
        self.open = [self.top]

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        node = Node(tag, {name: value or "" for name, value in attributes})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attributes: Any) -> None:
        self.open[-1].children.append(Node(tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self.open) - 1, 0, -1):
            if self.open[place].tag == tag:
                del self.open[place:]
                return

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def page_of(text: str) -> Node:
    reader = _Reader()
    reader.feed(text)
    return reader.top


def tiles(page: Node) -> dict[str, tuple[str, str]]:
    """Key numbers: label → (the figure with what stands small beside it, the line below)."""
    found = {}
    for card in page.all("div", "kpi"):
        below = " ".join(one.text for one in card.all("dd", "s"))
        found[card.one("dt").text] = (card.one("dd", "v").text, below)
    return found


def csv_of(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode())))
