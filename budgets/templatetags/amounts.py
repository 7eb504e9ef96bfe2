"""Money, counts and moments in templates; the rules are in `budgets.pages.amounts` and `budgets.pages.moments`."""

from django import template

from budgets.currency.shown import shown
from budgets.pages import amounts, moments

register = template.Library()
register.filter("whole", amounts.whole)
register.filter("cents", amounts.cents)
register.filter("plain_cents", amounts.plain_cents)
register.filter("signed", amounts.signed)
register.filter("plain", amounts.plain)
register.filter("amount", amounts.amount)
register.filter("entered", amounts.entered)
register.filter("short_count", amounts.short_count)
register.filter("day", moments.day)
register.filter("day_year", moments.day_year)
register.filter("weekday", moments.weekday)


@register.filter
def negated(value: int) -> int:
    """The amount with its sign turned, for "to spare"."""
    return -value


@register.simple_tag
def money_words() -> str:
    """In which currency the page shows money: "US dollars", "euros at 0.92 to the dollar, 20 Nov 2026"."""
    now = shown()
    if now.day is None:
        return now.name
    return f"{now.name} at {now.per_dollar.normalize():f} to the dollar, {moments.day_year(now.day)}"
