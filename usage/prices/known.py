"""What is known of the cost of some calls: where none of them has a price it is unknown, which is not nothing. Pure."""

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
    """Nano-dollars of those that have a price; None where calls were made and none of them has."""
    return None if not of.cost and of.calls > 0 and of.unpriced + of.unmeasured >= of.calls else of.cost


def priced(of: Costing) -> int:
    """How many calls the cost is of."""
    return max(0, of.calls - max(0, of.unpriced) - max(0, of.unmeasured))
