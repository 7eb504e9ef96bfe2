"""In which currency this thread shows money, and at which rate. The ledger and all sums stay in US dollars.

One rate for a whole page, the newest on the organisation's today, so that what is shown adds up as the dollars do.
A request for a page sets it (`middleware`); everywhere else money is shown in dollars.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from babel.numbers import get_currency_name, get_currency_precision, get_currency_symbol
from django.db import connection

NANO = 1_000_000_000
NEWEST = """
SELECT o.currency, rate.per_dollar, rate.day FROM budgets_organisation AS o
LEFT JOIN LATERAL (
    SELECT per_dollar, day FROM budgets_currencyrate
    WHERE currency = o.currency AND day <= least(%s::date, (now() AT TIME ZONE o.time_zone)::date)
    ORDER BY day DESC LIMIT 1
) AS rate ON true
WHERE o.id = 1
"""


@dataclass(frozen=True)
class Shown:
    """`per_dollar` units of `code` are one US dollar since `day` (None: dollars, or no rate is needed)."""

    code: str = "USD"
    per_dollar: Decimal = Decimal(1)
    day: date | None = None

    @cached_property
    def symbol(self) -> str:
        """ "$", "€"; a code where that is all there is, with a space: "CHF "."""
        found: str = get_currency_symbol(self.code, locale="en_US")
        return found if not found.isalpha() else f"{found} "

    @cached_property
    def cent(self) -> Decimal:
        """The smallest amount shown in tables: 0.01, or 1 for yen."""
        return Decimal(1).scaleb(-int(get_currency_precision(self.code)))

    @cached_property
    def name(self) -> str:
        """ "US dollars", "euros"."""
        found: str = get_currency_name(self.code, count=2, locale="en_US")
        return found

    def units(self, nano: int) -> Decimal:
        """What so many nano-dollars are in this currency, not rounded."""
        return Decimal(nano) * self.per_dollar / NANO


DOLLARS = Shown()
_shown: ContextVar[Shown | Callable[[], Shown]] = ContextVar("shown_currency", default=DOLLARS)


def shown() -> Shown:
    """What money is shown in now."""
    found = _shown.get()
    if isinstance(found, Shown):
        return found
    made = found()
    _shown.set(made)
    return made


def show(what: Shown | Callable[[], Shown]) -> None:
    """Show money so from here on in this thread; a callable is asked at the first amount."""
    _shown.set(what)


def organisations(on: date | None = None) -> Shown:
    """The organisation's currency in one statement; dollars while there is no rate for it.

    At today's rate, or that of the day `on`, where what is shown may not move with later rates.
    """
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [on])
        row = cursor.fetchone()
    if row is None or row[0] == "USD" or row[1] is None:
        return DOLLARS
    return Shown(*row)
