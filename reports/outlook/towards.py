"""The running total of days to come. Pure: no Django, no models."""

from collections.abc import Sequence
from itertools import accumulate


def towards(spent: int, goal: int, expected: Sequence[int]) -> list[int]:
    """From `spent` to exactly `goal`, a step a day, in the shape of the `expected` days; evenly where none has any."""
    parts = list(accumulate(expected))
    whole = parts[-1] if parts else 0
    if whole <= 0:
        parts, whole = list(range(1, len(parts) + 1)), len(parts)
    return [spent + (goal - spent) * part // whole for part in parts]
