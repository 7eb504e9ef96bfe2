"""A suggested amount from what was used before, and its reason. Pure: no Django, no models.

It follows the volume of the last complete periods and their trend. Where outcomes of runs are known and few were
approved, it does not follow growth: more of what is thrown away needs no larger budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

NANO = 1_000_000_000
LEAST_PERIODS = 2
LEAST_APPROVED = 60  # percent of the reviewed runs, below which growth is not followed
LEAST_GROWTH, MOST_GROWTH = Decimal("0.5"), Decimal(2)  # from one period to the next


@dataclass(frozen=True)
class Outcomes:
    """Of runs that ended in the periods looked at: how many there were, reviewed, approved (or shipped), reworked."""

    runs: int
    reviewed: int
    approved: int
    reworked: int

    @property
    def approved_percent(self) -> int | None:
        return self.approved * 100 // self.reviewed if self.reviewed else None

    @property
    def reworked_percent(self) -> int:
        return self.reworked * 100 // self.reviewed if self.reviewed else 0


@dataclass(frozen=True)
class Suggestion:
    """`amount` and `average` in the metric; `growth` in percent from one period to the next.

    `held_back`: it grew, and the suggestion does not follow since too few runs were approved.
    """

    amount: int
    average: int
    growth: int
    periods: int
    held_back: bool


def suggest(used: Sequence[int], metric: str, outcomes: Outcomes | None = None) -> Suggestion | None:
    """From what each complete period used, oldest first; None where they are too few or nothing was used."""
    if len(used) < LEAST_PERIODS or sum(used) <= 0:
        return None
    average = Decimal(sum(used)) / len(used)
    factor = growth_of(used)
    percent = None if outcomes is None else outcomes.approved_percent
    held_back = factor > 1 and percent is not None and percent < LEAST_APPROVED
    # The average stands for the middle of the periods; the next one is half their number and a half ahead.
    ahead = average if held_back else average * factor ** (Decimal(len(used) + 1) / 2)
    return Suggestion(
        amount=rounded(int(ahead.to_integral_value(ROUND_HALF_UP)), metric),
        average=int(average.to_integral_value(ROUND_HALF_UP)),
        growth=int(((factor - 1) * 100).to_integral_value(ROUND_HALF_UP)),
        periods=len(used),
        held_back=held_back,
    )


def growth_of(used: Sequence[int]) -> Decimal:
    """By what each period was multiplied on average, within bounds; 1 where that cannot be said."""
    if used[0] <= 0 or used[-1] <= 0:
        return Decimal(1)
    factor = (Decimal(used[-1]) / used[0]) ** (Decimal(1) / (len(used) - 1))
    return min(max(factor, LEAST_GROWTH), MOST_GROWTH)


def round_up(amount: int, metric: str) -> int:
    """Up to two digits that count: 2,262 to 2,300; money to whole cents at least."""
    size = _step(amount, metric)
    return -(-amount // size) * size


def rounded(amount: int, metric: str) -> int:
    """To two digits that count: 2,505 to 2,500; never to nothing."""
    size = _step(amount, metric)
    return max(1, (2 * amount + size) // (2 * size)) * size


def _step(amount: int, metric: str) -> int:
    """The size of the second digit, or the least amount that people write."""
    least: int = NANO // 100 if metric == "money" else 1
    return least * int(10 ** max(0, len(str(-(-amount // least))) - 2))
