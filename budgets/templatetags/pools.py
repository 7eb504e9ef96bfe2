"""A budget's place in a pool, for its page."""

from typing import Any

from django import template

from budgets.models import Budget
from budgets.pools import words
from budgets.pools.membership import live_children

register = template.Library()


@register.inclusion_tag("pools/card.html")
def pool_card(budget: Budget, may_change: bool = False) -> dict[str, Any]:
    """ "Part of pool X" or "Shared among N budgets"; at most one statement, none for budgets outside pools."""
    return {
        "budget": budget,
        "pool": budget.pool if budget.pool_id else None,
        "members": live_children(budget).count() if budget.sharing else 0,
        "may_change": may_change and budget.status != Budget.Status.ARCHIVED,
    }


for _words in (words.exactly, words.percent, words.weight):
    register.filter(_words.__name__, _words)


@register.filter
def minus(value: int, other: int) -> int:
    """What is left of an amount."""
    return value - other
