"""A slow rise over weeks, which no single value shows: each day is held against the same weekday of other weeks.

The seasonal Kendall test (Hirsch, Slack and Smith, 1982): over five weeks, of each two days of one weekday, how often
the later is the greater, against how often chance alone would have it so. A single step up is no creep: no two weeks
may bring most of the rise. Pure: neither Django nor models.
"""

from itertools import combinations
from math import sqrt
from statistics import fmean, median
from typing import Any

WEEK, WEEKS = 7, 5
LEAST_DAYS = 25  # complete ones in five weeks
LEAST_IN_A_WEEK = 3
LEAST_GROWTH = 0.15  # of the newest week over the oldest
MOST_AT_ONCE = 0.7  # share of the rise within two weeks: a step in the middle of a week lifts two
CLEAR = 3.0  # standard deviations beyond chance that score 0.5


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
                self.days = [kept for kept in self.days if kept[0] >= day - WEEK * WEEKS]
                self.score, self.growth = judged(self.days, day)
            self.day, self.total, self.count = day, 0.0, 0
        self.total += value
        self.count += 1

    def to_state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"days": [list(kept) for kept in self.days]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Creep":
        made = cls()
        for name in cls.__slots__:
            setattr(made, name, state[name])
        made.days = [(day, value) for day, value in state["days"]]
        return made


def judged(days: list[tuple[int, float]], today: int) -> tuple[float, float]:
    """Score and growth of the five weeks before `today`; `days` are (ordinal, mean)."""
    if len(days) < LEAST_DAYS:
        return 0.0, 0.0
    by_weekday: dict[int, list[tuple[int, float]]] = {}
    for day, value in days:
        by_weekday.setdefault(day % WEEK, []).append(((day - today) // WEEK, value))
    growth = growth_of(by_weekday)
    certain = beyond_chance([[value for _, value in same] for same in by_weekday.values()])
    if growth < LEAST_GROWTH or certain <= 0:
        return 0.0, 0.0
    return certain / (certain + CLEAR), growth


def beyond_chance(weekdays: list[list[float]]) -> float:
    """The seasonal Kendall statistic: rises minus falls of all pairs of one weekday, in standard deviations."""
    rises = sum((after > before) - (after < before) for same in weekdays for before, after in combinations(same, 2))
    chance = sum(len(same) * (len(same) - 1) * (2 * len(same) + 5) / 18 for same in weekdays)
    return rises / sqrt(chance) if chance else 0.0


def growth_of(by_weekday: dict[int, list[tuple[int, float]]]) -> float:
    """Growth from the oldest of the weeks to the newest, as a share; 0 where two weeks brought most of it."""
    relative: dict[int, list[float]] = {}
    for same in by_weekday.values():
        if (usual := fmean(value for _, value in same)) > 0:
            for week, value in same:
                relative.setdefault(week, []).append(value / usual)
    if len(relative) < WEEKS or min(len(shares) for shares in relative.values()) < LEAST_IN_A_WEEK:
        return 0.0
    weeks = [median(relative[week]) for week in sorted(relative)]
    rise = weeks[-1] - weeks[0]
    if (
        weeks[0] <= 0
        or max(after - before for before, after in zip(weeks, weeks[2:], strict=False)) > MOST_AT_ONCE * rise
    ):
        return 0.0
    return rise / weeks[0]
