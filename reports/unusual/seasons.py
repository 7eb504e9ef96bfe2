"""What the time of the day and of the week add to the level, and what the same half hour held before."""

from typing import Any

DAY, WEEK = 86_400, 7 * 86_400  # seconds
MEMORY_OF_DAYS, TRUST_OF_DAYS = 20, 5
MEMORY_OF_WEEKS = 3
DIGITS = 4  # of what a week added: enough for an expectation, and a third of the room in a kept state
HALF_HOUR = 1_800


class Days:
    """Mean of what each time of the day adds, over about twenty days; believed by n / (n + 5) after n days."""

    __slots__ = ("slot", "slots")

    def __init__(self, slot_seconds: int) -> None:
        self.slot = slot_seconds
        self.slots: dict[int, tuple[float, int]] = {}  # slot: mean, how often seen

    def expected(self, second_of_week: int) -> float:
        mean, times = self.slots.get(second_of_week % DAY // self.slot, (0.0, 0))
        return mean * times / (times + TRUST_OF_DAYS)

    def learn(self, second_of_week: int, added: float) -> None:
        slot = second_of_week % DAY // self.slot
        mean, times = self.slots.get(slot, (0.0, 0))
        times = min(times + 1, MEMORY_OF_DAYS)
        self.slots[slot] = (mean + (added - mean) / times, times)


class Weeks:
    """Median of what each time of the week added in the last three weeks, where weeks not seen count as nothing.

    So one strange week teaches nothing, and what comes every week is expected from the third time on.
    """

    __slots__ = ("slot", "slots")

    def __init__(self, slot_seconds: int) -> None:
        self.slot = slot_seconds
        self.slots: dict[int, tuple[float, ...]] = {}

    def expected(self, second_of_week: int) -> float:
        seen = self.slots.get(second_of_week // self.slot, ())
        if len(seen) < 2:
            return 0.0
        first, second, third = seen if len(seen) == MEMORY_OF_WEEKS else (*seen, 0.0)
        return max(min(first, second), min(max(first, second), third))

    def learn(self, second_of_week: int, added: float) -> None:
        slot = second_of_week // self.slot
        self.slots[slot] = (*self.slots.get(slot, ()), float(f"{added:.{DIGITS}g}"))[-MEMORY_OF_WEEKS:]


class HalfHours:
    """What each half hour of the week held: each value weighs as much as all before it.

    Within a half hour this follows the last values; at its beginning it is what the same half hour held a week ago.
    """

    __slots__ = ("slots",)

    def __init__(self) -> None:
        self.slots: dict[int, float] = {}

    def held(self, second_of_week: int) -> float | None:
        return self.slots.get(second_of_week // HALF_HOUR)

    def learn(self, second_of_week: int, value: float) -> None:
        slot = second_of_week // HALF_HOUR
        held = self.slots.get(slot)
        self.slots[slot] = value if held is None else held + (value - held) / 2


def slots_to_state(slots: dict[int, Any]) -> dict[str, Any]:
    return {str(slot): list(kept) if isinstance(kept, tuple) else kept for slot, kept in slots.items()}


def slots_from_state(state: dict[str, Any]) -> dict[int, Any]:
    return {int(slot): tuple(kept) if isinstance(kept, list) else kept for slot, kept in state.items()}
