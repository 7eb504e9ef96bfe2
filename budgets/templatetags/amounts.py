"""Money, counts and moments in templates; the rules are in `budgets.pages.amounts` and `budgets.pages.moments`."""

from django import template

from budgets.pages import amounts, moments

register = template.Library()
register.filter("whole", amounts.whole)
register.filter("cents", amounts.cents)
register.filter("plain_cents", amounts.plain_cents)
register.filter("amount", amounts.amount)
register.filter("short_count", amounts.short_count)
register.filter("day", moments.day)
register.filter("day_year", moments.day_year)
register.filter("weekday", moments.weekday)


@register.filter
def negated(value: int) -> int:
    """The amount with its sign turned, for "to spare"."""
    return -value
