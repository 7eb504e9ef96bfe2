"""What calls cost, in words and in files, in the currency shown: never $0 where no price is known."""

from collections.abc import Callable

from budgets.pages.amounts import cents
from budgets.pages.csv import exact
from usage.prices.known import Costing, known_cost


def cost_words(of: Costing, say: Callable[[int], str] = cents) -> str:
    """ "$12.04", as `say` writes it; else "no price yet".

    "not known" where calls do not even say how much they used.
    """
    cost = known_cost(of)
    if cost is None:
        return "no price yet" if of.unpriced > 0 else "not known"
    return say(cost)


def cost_in_file(of: Costing) -> str | None:
    """As `exact` has it; None, which CSV leaves empty, where it is not known."""
    cost = known_cost(of)
    return None if cost is None else exact(cost)
