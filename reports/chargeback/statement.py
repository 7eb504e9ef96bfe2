"""What a team is charged for a month: lines that add up to the cent. Pure.

Lines are rounded to cents by largest remainder, so that their sum is the rounded sum of what was spent: a statement
that is a cent off its own lines cannot be booked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

METERED, OTHER, CORRECTION = "metered", "other", "correction"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose charge it is; "" where nobody's. A workflow's own cost centre and ledger code go before its team's."""

    workflow: str = ""
    workflow_name: str = ""
    team: str = ""
    team_name: str = ""
    cost_centre: str = ""
    ledger_code: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `cost` in nano-dollars, exact. `kind`: usage of the month, another cost, or what counts here for a
    month before (`of`), which was closed when it came. `unmeasured` calls do not even say how much they used.
    """

    kind: str
    team: str
    workflow: str
    name: str
    model: str
    cost_centre: str
    ledger_code: str
    calls: int
    tokens: int
    unpriced: int
    cost: int
    of: date | None = None
    unmeasured: int = 0


@dataclass(frozen=True, slots=True)
class Charged:
    """What some lines come to, as far as their calls have a price."""

    cost: int
    calls: int
    unpriced: int
    unmeasured: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A team's month; `team` "" is what no team answers for. Sums in nano-dollars, exact."""

    team: str
    team_name: str
    month: date
    lines: tuple[Line, ...]

    @property
    def unpriced(self) -> int:
        """Calls whose cost nobody knows. What a price takes away again for closed days hides none of them."""
        return sum(max(0, line.unpriced) for line in self.lines)


def charged(lines: Iterable[Line]) -> Charged:
    """The sums of some lines."""
    rows = [(line.cost, line.calls, max(0, line.unpriced), max(0, line.unmeasured)) for line in lines]
    return Charged(*(sum(column) for column in zip(*rows, strict=True))) if rows else Charged(0, 0, 0, 0)


def booked(amounts: Sequence[Decimal], cent: Decimal) -> tuple[Decimal, ...]:
    """Amounts in whole cents whose sum is the rounded sum (half away from zero, as pages round), by largest remainder.

    Hamilton's method: everything is rounded down, then the missing cents go to the largest remainders, earlier ones
    first where they are alike. `cent` is the currency's smallest amount: 0.01, or 1 for yen.
    """
    down = [one.quantize(cent, ROUND_FLOOR) for one in amounts]
    total = sum(amounts, Decimal(0)).quantize(cent, ROUND_HALF_UP)
    missing = int((total - sum(down, Decimal(0))) / cent)
    order = sorted(range(len(down)), key=lambda i: (down[i] - amounts[i], i))
    more = set(order[:missing])
    return tuple(one + cent * (i in more) for i, one in enumerate(down))
