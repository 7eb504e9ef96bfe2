"""How rare a size is among those seen before: counts of sizes in bins of a quarter octave."""

from math import log2, log10
from typing import Any

BINS_AN_OCTAVE = 4
MIDDLE = 300  # the bin of sizes from 1 on; so bins reach from 2^-75 to 2^75
LAST_BIN = 600
NOTHING = 2.0**-70
BEYOND = 2 / BINS_AN_OCTAVE * log10(2)  # digits for each bin beyond the greatest: as if the tail fell with the square
FURTHEST = 24  # bins beyond the greatest that still count
HEAVIEST = 1e9


class Sizes:
    """Counts of sizes (any unit, at least 0), of which older ones weigh less: half after `half_life` sizes."""

    __slots__ = ("counts", "growth", "half_life", "highest", "total", "weight")

    def __init__(self, half_life: float) -> None:
        self.half_life = half_life
        self.growth = 2 ** (1 / half_life)  # instead of shrinking all counts, the next one weighs more
        self.counts = [0.0] * (LAST_BIN + 1)
        self.highest = 0
        self.total = 0.0
        self.weight = 1.0

    def rarity(self, size: float) -> float:
        """Decimal digits: 2.0 means that one of 100 sizes before was as great. 0 where nothing was seen, or for 0."""
        if size <= NOTHING or not self.total:
            return 0.0
        place = bin_of(size)
        half = self.weight / 2
        if place > self.highest:
            beyond = min(place - self.highest, FURTHEST) * BEYOND
            return log10((self.total + self.weight) / half) + beyond
        as_great = sum(self.counts[place + 1 : self.highest + 1]) + self.counts[place] / 2
        return log10((self.total + self.weight) / max(as_great, half))

    def add(self, size: float) -> None:
        place = bin_of(size) if size > NOTHING else 0
        self.counts[place] += self.weight
        self.total += self.weight
        self.highest = max(self.highest, place)
        self.weight *= self.growth
        if self.weight > HEAVIEST:
            self.settle()

    def settle(self) -> None:
        """Bring the weight back to 1, so that it never overflows. A bin without a thousandth of a size is empty."""
        counts = [count / self.weight for count in self.counts]
        self.counts = [count if count > 1e-3 else 0.0 for count in counts]
        self.total = sum(self.counts)
        self.highest = max((place for place, count in enumerate(self.counts) if count), default=0)
        self.weight = 1.0

    def quantile(self, share: float) -> float:
        """The size that `share` of those seen are not above, to a quarter octave; 0 where nothing was seen."""
        above = (1 - share) * self.total
        place = self.highest
        while place > 0:
            above -= self.counts[place]
            if above < 0:
                return size_of(place)
            place -= 1
        return 0.0

    def middle(self) -> tuple[float, bool]:
        """The middle size, and whether most were 0: then it is the middle of those that were not."""
        if self.counts[0] * 2 <= self.total:
            return self.quantile(0.5), False
        return self.quantile((1 + self.counts[0] / self.total) / 2) if self.total else 0.0, True

    def to_state(self) -> dict[str, Any]:
        counts = {str(place): count for place, count in enumerate(self.counts) if count}
        return {"half_life": self.half_life, "counts": counts, "total": self.total, "weight": self.weight}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Sizes":
        made = cls(state["half_life"])
        for place, count in state["counts"].items():
            made.counts[int(place)] = count
            made.highest = max(made.highest, int(place))
        made.total, made.weight = state["total"], state["weight"]
        return made


def bin_of(size: float) -> int:
    return min(max(int(BINS_AN_OCTAVE * log2(size) + MIDDLE), 1), LAST_BIN)


def size_of(place: int) -> float:
    """The middle of a bin, on the scale of logarithms."""
    return float(2 ** ((place + 0.5 - MIDDLE) / BINS_AN_OCTAVE))
