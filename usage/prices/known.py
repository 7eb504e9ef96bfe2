"""What is known of the cost of some calls: nothing beside calls without a price is unknown, and not nothing. Pure."""

from typing import Protocol


class Costing(Protocol):
    """Calls with what they cost, nano-dollars: sums of them, a run, many runs."""

    @property
    def cost(self) -> int: ...
    @property
    def calls(self) -> int: ...
    @property
    def unpriced(self) -> int: ...
    @property
    def unmeasured(self) -> int: ...


def known_cost(of: Costing) -> int | None:
    """Nano-dollars of those that have a price; None where that is nothing, and there are others.

    Failed calls without tokens cost nothing whatever the price, so that they alone make no cost known.
    """
    return None if not of.cost and of.unpriced + of.unmeasured > 0 else of.cost


def priced(of: Costing) -> int:
    """How many calls the cost is of."""
    return max(0, of.calls - max(0, of.unpriced) - max(0, of.unmeasured))
