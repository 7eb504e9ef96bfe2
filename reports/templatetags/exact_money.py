"""Money to the last digit, for pages about one call."""

from django import template

from budgets.currency.shown import shown
from budgets.pages.amounts import MINUS
from budgets.pages.csv import exact

register = template.Library()


@register.filter
def exact_money(nano: int) -> str:
    """ "$0.000123", in the currency shown, at least two digits."""
    text = exact(nano)
    return f"{MINUS}{shown().symbol}{text[1:]}" if text.startswith("-") else f"{shown().symbol}{text}"
