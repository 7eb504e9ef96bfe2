"""Pages, CSV and API as somebody signed in gets them, and every comparison made with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from django.test import Client

from tests.totals.plain_sum import Books, Row, count, today, total, without_price
from tests.totals.plain_text import Currency, Node, csv_of, page_of


@dataclass
class Comparison:
    """At one moment, in one zone and currency. `wrong` says what a page showed other than the plain sum."""

    client: Client
    books: Books
    now: datetime
    shown: Currency
    year_starts: int
    dollar: Currency = field(default_factory=Currency)
    wrong: list[str] = field(default_factory=list)
    compared: int = 0
    seen: dict[str, Node] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return today(self.now, self.books.zone)

    def same(self, where: str, found: Any, expected: Any) -> None:
        self.compared += 1
        if found != expected:
            self.wrong.append(f"{where}: shown {found!r}, by the ledger {expected!r}")

    def money(self, where: str, found: str, nano: int) -> None:
        """A cell of a CSV, which is exact."""
        self.same(where, Fraction(found or "-1"), self.shown.exact(nano))

    def cost(self, where: str, found: str | None, rows: list[Row]) -> None:
        """What these rows cost, in a CSV or JSON: empty or null where calls were made and none of them has a price."""
        cost = known_cost(rows)
        if cost is None:
            self.same(where, found or None, None)
        else:
            self.money(where, found or "", cost)

    def words(self, rows: list[Row], say: Callable[[int], str] | None = None) -> str:
        """The same on a page, as `say` writes amounts; with cents unless it is stated."""
        cost = known_cost(rows)
        if cost is None:
            return "no price yet" if count(rows, "unpriced") > 0 else "not known"
        return (say or self.shown.cents)(cost)

    def amount(self, where: str, found: str, value: int, metric: str) -> None:
        if metric == "money":
            self.money(where, found, value)
        else:
            self.same(where, found, str(value))

    def dollars(self, where: str, found: str, nano: int, metric: str = "money") -> None:
        """A figure of the API, exact and in dollars whatever pages show."""
        expected = Fraction(nano, 10**9) if metric == "money" else Fraction(nano)
        self.same(where, Fraction(found), expected)

    def page(self, address: str) -> Node:
        """Each is asked for once."""
        if address not in self.seen:
            answer = self.client.get(address)
            assert answer.status_code == 200, (address, answer.status_code)
            self.seen[address] = page_of(answer.content.decode())
        return self.seen[address]

    def json(self, address: str) -> Any:
        answer = self.client.get(address)
        assert answer.status_code == 200, (address, answer.content)
        return answer.json()

    def csv(self, address: str) -> list[dict[str, str]]:
        answer = self.client.get(address)
        assert answer.status_code == 200, address
        return csv_of(b"".join(answer.streaming_content))


def known_cost(rows: list[Row]) -> int | None:
    """Nano-dollars of calls with a price; None where that is nothing, and others have none."""
    without = count(rows, "unpriced") + count(rows, "unmeasured")
    return None if not total(rows) and without > 0 else total(rows)


def sums(rows: list[Row]) -> Mapping[str, int]:
    """What most tables show of some rows."""
    return {
        "money": total(rows),
        "calls": total(rows, "calls"),
        "unpriced": count(rows, "unpriced"),
        "without": without_price(rows),
        "unmeasured": count(rows, "unmeasured"),
        "uncounted": max(0, count(rows, "unmeasured")),
    }
