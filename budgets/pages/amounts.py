"""Amounts as people write and read them. No models; the currency is what `budgets.currency.shown` says.

An amount is an integer: nano-dollars, tokens or calls, as its metric says. Sums are made of unrounded integers; only
what is shown is rounded.
"""

import re
from decimal import ROUND_HALF_UP, Decimal

from budgets.currency.shown import DOLLARS, organisations, shown

NANO = 1_000_000_000
MONEY, TOKENS, CALLS = "money", "tokens", "calls"
CENT = Decimal("0.01")
MINUS = "−\u2060"  # no line breaks between the sign and a currency's symbol
SIZES = {"T": 10**12, "B": 10**9, "M": 10**6}
MOST = 10**18  # of nano-dollars, tokens or calls
WRITTEN = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[0-9]+(\.[0-9]+)?|\.[0-9]+")


def dollars(nano: int) -> Decimal:
    """Exact dollars."""
    return Decimal(nano) / NANO


def units(nano: int) -> Decimal:
    """Exact, in the currency that is shown."""
    return shown().units(nano)


def whole(nano: int) -> str:
    """For tiles, bars and forecasts: "$18,420"; below ten dollars with cents, since "$0" would read as free."""
    value = units(nano)
    if abs(value) >= 10:
        return signed(value.quantize(Decimal(1), ROUND_HALF_UP))
    return cents(nano)


def cents(nano: int) -> str:
    """For tables of days: "$1,164.52"; "under $0.01" for what would round to nothing."""
    value = units(nano).quantize(shown().cent, ROUND_HALF_UP)
    if nano and not value:
        return f"under {signed(shown().cent)}"
    return signed(value)


def plain_cents(nano: int) -> str:
    """ "1,164.52", for columns whose caption names the currency."""
    return plain(units(nano).quantize(shown().cent, ROUND_HALF_UP))


def in_dollars(nano: int, places: int = 2) -> str:
    """ "$1,164.52", "−$0.50": US dollars whatever pages show."""
    value = dollars(nano).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{MINUS if value < 0 else ''}${abs(value):,}"


def drawn(nano: int) -> float:
    """For a chart: cents, rounded as the table beside it rounds them; a JSON number, never summed again."""
    return float(units(nano).quantize(CENT, ROUND_HALF_UP))


def per_unit(nano: int, count: int) -> str:
    """What one call or asset cost, to three decimals; "" where there was none."""
    if not count:
        return ""
    value = (units(nano) / count).quantize(Decimal("0.001"), ROUND_HALF_UP)
    return f"under {signed(Decimal('0.001'))}" if nano and not value else signed(value)


def signed(value: Decimal) -> str:
    """An amount of the currency shown, rounded already: "$5.00", "−$5.00"."""
    return f"{MINUS if value < 0 else ''}{shown().symbol}{abs(value):,}"


def plain(value: Decimal) -> str:
    """The same without its symbol: "5.00", "−5.00"."""
    return f"{'−' if value < 0 else ''}{abs(value):,}"


def short_count(number: int) -> str:
    """ "1.2M", "35,400"."""
    for letter, size in SIZES.items():
        if abs(number) >= size:
            value = (Decimal(number) / size).quantize(Decimal("0.1"), ROUND_HALF_UP)
            return f"{value:,}".removesuffix(".0") + letter
    return f"{number:,}"


def amount(value: int, metric: str) -> str:
    """The amount with its unit: "$8,000", "1.2M tokens", "4,000 calls"."""
    if metric == MONEY:
        return whole(value)
    unit = metric if abs(value) != 1 else metric.removesuffix("s")
    return f"{short_count(value)} {unit}"


def entered(value: int, metric: str) -> str:
    """As forms have it, in US dollars, with what pages show it as: "$1,500, about €1,380". One statement for money."""
    own = organisations() if metric == MONEY else DOLLARS
    if own.code == "USD":
        return amount(value, metric)
    there = own.units(value).quantize(Decimal(1) if own.units(value) >= 10 else own.cent, ROUND_HALF_UP)
    return f"${typed(value, MONEY)}, about {own.symbol}{there:,}"


def written(text: str, metric: str) -> int:
    """The integer that a person's "1,500", "$1500.50" or "2M" means; ValueError carries the sentence to show."""
    bare = text.strip().replace(" ", "").replace("\u00a0", "").removeprefix("$")
    scale = 1
    if metric != MONEY and (size := (SIZES | {"K": 10**3}).get(bare[-1:].upper())):
        scale = size
        bare = bare[:-1]
    if not bare:
        raise ValueError("Enter an amount.")
    if not WRITTEN.fullmatch(bare):
        raise ValueError("Write the amount like 1,500 or 1500.50.")
    value = Decimal(bare.replace(",", "")) * scale
    unit = NANO if metric == MONEY else 1
    if value > Decimal(MOST) / unit:
        raise ValueError("That is more than TokenOps can count. Enter a smaller amount.")
    if metric == MONEY and value != value.quantize(CENT):
        raise ValueError("Write at most two digits after the point.")
    if metric != MONEY and value != value.to_integral_value():
        raise ValueError(f"Enter a whole number of {metric}.")
    if value <= 0:
        raise ValueError("Enter an amount above zero.")
    return int(value * unit)


def typed(value: int, metric: str) -> str:
    """The amount as it stands in a form field: "1,500" or "1,500.50"; every digit, since it is sent back so."""
    if metric != MONEY:
        return f"{value:,}"
    units, _, rest = f"{dollars(value):,.9f}".rstrip("0").partition(".")
    return f"{units}.{rest:0<2}" if rest else units
