"""How good earlier forecasts were. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

LEAST = 3  # forecasts whose week is over, before anything is said of them


@dataclass(frozen=True, slots=True)
class Past:
    """One earlier forecast: what it expected of its first seven days and of its period, and what came."""

    made_for: date
    week: Sequence[int]
    week_came: int | None
    period_end: date | None
    landing: Sequence[int]
    landed: int | None

    @property
    def week_off(self) -> float | None:
        """By how much of what came it was off; None where that is not known, or nothing came."""
        return off(self.week, self.week_came)

    @property
    def week_inside(self) -> bool | None:
        return inside(self.week, self.week_came)


@dataclass(frozen=True, slots=True)
class Quality:
    """Of `count` forecasts of a week: the usual (median) error as a share of what came, and how many were in range."""

    count: int
    error: float | None
    inside: int

    @property
    def is_known(self) -> bool:
        return self.count >= LEAST

    @property
    def words(self) -> str:
        """ "Usually within 6% a week ahead; 9 of 10 weeks were in the likely range."."""
        if not self.is_known:
            return "Too few past forecasts to say how good they were."
        near = "" if self.error is None else f"Usually within {max(1, round(self.error * 100)):,}% a week ahead; "
        return f"{near}{self.inside} of {self.count} weeks were in the likely range.".capitalize()


def quality(rows: Sequence[Past]) -> Quality:
    """Of those whose week is over."""
    over = [one for one in rows if one.week_came is not None and one.week]
    errors = [one.week_off for one in over if one.week_off is not None]
    return Quality(len(over), median(errors) if errors else None, sum(bool(one.week_inside) for one in over))


def off(said: Sequence[int], came: int | None) -> float | None:
    return None if came is None or came <= 0 or not said else abs(said[0] - came) / came


def inside(said: Sequence[int], came: int | None) -> bool | None:
    return None if came is None or not said else said[1] <= came <= said[2]
