"""What an amount spent means against a limit. Pure; integers only.

`spent` and `limit` are in the same unit, whatever it is; thresholds are whole percents and inclusive: exactly 80 %
crosses 80. A negative `spent` (corrections beyond what was charged) crosses nothing.
"""

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

UNDER, WARNING, EXHAUSTED = "under", "warning", "exhausted"
STEPS = 20  # the remaining amount is published in steps of one twentieth


def crossed(spent: int, limit: int, thresholds: Iterable[int]) -> list[int]:
    """The thresholds that are crossed, lowest first."""
    return sorted(threshold for threshold in thresholds if spent * 100 >= limit * threshold)


def status(spent: int, limit: int, highest_crossed: int) -> str:
    """`exhausted` from 100 % on, whether or not that is a threshold; `warning` from the lowest threshold on."""
    if spent >= limit:
        return EXHAUSTED
    return WARNING if highest_crossed else UNDER


def remaining_steps(spent: int, limit: int) -> int:
    """Twentieths of the limit that are left, 0 to 20, rounded down: never says more than there is."""
    if limit <= 0:
        return 0
    return min(STEPS, max(0, (limit - spent) * STEPS // limit))


def carried_over(limit: int, spent: int, amount: int, share: Decimal) -> int:
    """What the unspent rest of a period that is over adds to the next: at most `share` (0 to 1) of its `amount`."""
    most = int((Decimal(amount) * share).to_integral_value(ROUND_FLOOR))
    return min(most, max(0, limit - spent))
