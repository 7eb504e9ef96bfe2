"""Amounts, shares and weights of pools in words. Pure."""

from decimal import Decimal
from fractions import Fraction

from budgets.pages import amounts


def exactly(value: int, metric: str) -> str:
    """An amount with its unit, money to the cent: sentences about what fits must not round."""
    return amounts.cents(value) if metric == amounts.MONEY else amounts.amount(value, metric)


def percent(share: Decimal | int | None) -> str:
    """ "12.5%" of a share 0 to 1; "" where none is stated."""
    return "" if share is None else f"{Decimal(share) * 100:.2f}".rstrip("0").rstrip(".") + "%"


def weight(value: Fraction | Decimal) -> str:
    """ "1.5", to two digits."""
    return f"{float(value):.2f}".rstrip("0").rstrip(".")
