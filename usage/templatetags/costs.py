"""What calls cost, in templates: an amount, or that there is no price yet."""

from django import template

from budgets.pages.amounts import cents, plain_cents, whole
from usage.prices.known import Costing
from usage.prices.showing import cost_words

register = template.Library()


@register.filter
def cost_whole(of: Costing) -> str:
    """For tiles and lists."""
    return cost_words(of, whole)


@register.filter
def cost_cents(of: Costing) -> str:
    """For sums."""
    return cost_words(of, cents)


@register.filter
def cost_plain(of: Costing) -> str:
    """For columns whose caption names the currency."""
    return cost_words(of, plain_cents)
