"""A slow rise over weeks, which no single value shows: each day is held against the same weekday a week before.

Over four weeks the median of those differences is divided by its own uncertainty (1.2533 s / sqrt(n), the standard
error of a median, with s = 1.4826 times the median absolute deviation). A single step up lifts one week in four only
and leaves the median where it was. Pure: neither Django nor models.
"""

from math import sqrt
from statistics import median
from typing import Any

PAIRED_DAYS = 28
KEPT_DAYS = PAIRED_DAYS + 7
LEAST_PAIRS = 20
LEAST_GROWTH = 0.15  # of a week's daily median over that of four weeks before
CLEAR = 4.0  # uncertainties that score 0.5
LEAST_SPREAD = 0.01  # of the median day: what is smoother still does not count as more certain


class Creep:
    """Sums values by day; after each complete day `score` (0..1, 0.5 is the threshold) and `growth` (a share) stand."""

    __slots__ = ("count", "day", "days", "growth", "score", "total")

    def __init__(self) -> None:
        self.days: list[tuple[int, float]] = []  # (ordinal of the date, mean of its values), oldest first
        self.day: int | None = None
        self.total, self.count = 0.0, 0
        self.score = self.growth = 0.0

    def add(self, day: int, value: float) -> None:
        """`day` is the ordinal of the value's date. One before the newest counts to the newest."""
        if self.day is None or day > self.day:
            if self.day is not None:
                self.days.append((self.day, self.total / self.count))
                self.days = [kept for kept in self.days if kept[0] > day - 1 - KEPT_DAYS]
                self.judge(day - 1)
            self.day, self.total, self.count = day, 0.0, 0
        self.total += value
        self.count += 1

    def judge(self, newest: int) -> None:
        self.score = self.growth = 0.0
        held = dict(self.days)
        pairs = [held[day] - held[day - 7] for day in held if day - 7 in held]
        if len(pairs) < LEAST_PAIRS:
            return
        now = [value for day, value in self.days if day > newest - 7]
        then = [value for day, value in self.days if day <= newest - PAIRED_DAYS]
        if not now or not then or (before := median(then)) <= 0:
            return
        growth = median(now) / before - 1
        step = median(pairs)
        if growth < LEAST_GROWTH or step <= 0:
            return
        spread = 1.4826 * median(abs(pair - step) for pair in pairs)
        spread = max(spread, LEAST_SPREAD * median(held.values()))
        certain = step / (1.2533 * spread / sqrt(len(pairs)))
        self.score, self.growth = certain / (certain + CLEAR), growth

    def to_state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"days": [list(kept) for kept in self.days]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Creep":
        made = cls()
        for name in cls.__slots__:
            setattr(made, name, state[name])
        made.days = [(day, value) for day, value in state["days"]]
        return made
