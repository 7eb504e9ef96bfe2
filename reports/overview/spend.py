"""Spend by model and day: from summed rows to what the page, the table, the chart and the CSV show.

Pure: no Django, no models. Amounts are nano-dollars; sums are of unrounded values.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from budgets.pages.moments import axis_days
from reports.asking.window import Window
from reports.figures.sums import Used

SERIES = 5  # and Other
OTHER_SLOT = SERIES + 1
PREMIUM = 3


@dataclass(frozen=True)
class DayTier:
    """What was used on one day, of one model in one tier (0: unknown)."""

    day: date
    model: str
    tier: int
    cost: int
    calls: int
    unpriced: int
    unmeasured: int


@dataclass(frozen=True)
class DayModel:
    """What was used on one day, of one model; None: of those without their own series."""

    day: date
    model: str | None
    cost: int
    calls: int
    unmeasured: int


@dataclass(frozen=True)
class ModelUse:
    """What was used of one model in all. `is_priced`: something of it has a cost, even where that sums to nothing."""

    model: str
    cost: int
    is_priced: bool
    unpriced: int


@dataclass(frozen=True, slots=True)
class DayAhead:
    """What is expected of one day to come, and what it lies between in four cases of five."""

    middle: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """What the window comes to, the same way; `days` are today and each later day of it."""

    landing: int
    low: int
    high: int
    days: tuple[DayAhead, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """What stands over a day of the chart: "Unusual: +$606", and "+$606" where there is less room."""

    day: date
    words: str
    short: str


@dataclass(frozen=True)
class TierUse:
    """What was used in one tier in all; 0: unknown."""

    tier: int
    cost: int
    calls: int


@dataclass(frozen=True)
class Series:
    """One model's cost on each counted day, oldest first, today too where it counts. `slot` is its colour, 1 to 6."""

    name: str
    slot: int
    values: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True)
class Spend:
    """The figures of one window. `days` are the counted days; today is the last of them where the window runs.

    `unpriced`: models with calls without a price. A price for a call in closed days counts in the open ones and takes
    away one there, where that call is none; so neither this nor `unmeasured` goes below zero.
    """

    window: Window
    days: tuple[date, ...]
    series: tuple[Series, ...]
    calls: int
    today_calls: int
    unpriced: tuple[tuple[str, int], ...]
    unmeasured: int
    premium_cost: int
    premium_calls: int
    tiered_calls: int

    @property
    def total(self) -> int:
        return sum(one.total for one in self.series)

    @property
    def used(self) -> Used:
        """The same as sums of calls, which say whether their cost is known."""
        return Used(cost=self.total, calls=self.calls, unpriced=self.unpriced_calls, unmeasured=self.unmeasured)

    @property
    def by_day(self) -> tuple[int, ...]:
        return tuple(sum(values) for values in zip(*(one.values for one in self.series), strict=True))

    @property
    def today_so_far(self) -> int:
        return self.by_day[-1] if self.window.runs and self.series else 0

    @property
    def unpriced_calls(self) -> int:
        return sum(calls for _, calls in self.unpriced)

    @property
    def table(self) -> list[dict[str, Any]]:
        """Rows of the table beside the chart: a day, each series' cost, the sum; the newest first."""
        _, said = axis_days(self.days)
        rows = [
            {
                "day": said[i],
                "today": one == self.window.today,
                "costs": [series.values[i] for series in self.series],
                "total": sum(series.values[i] for series in self.series),
            }
            for i, one in enumerate(self.days)
        ]
        return rows[::-1]


def most_used(models: Iterable[ModelUse]) -> list[str]:
    """The models that have a series of their own: at most five that cost something, the dearest first."""
    priced = (one for one in models if one.is_priced)
    return [one.model for one in sorted(priced, key=lambda one: (-one.cost, one.model))[:SERIES]]


def shape(
    window: Window,
    models: Sequence[ModelUse],
    tiers: Sequence[TierUse],
    rows: Sequence[DayModel],
    colours: Mapping[str, int],
) -> Spend:
    """Group the rows into the models of `colours` (see `most_used`), each with its colour from 1 to 5, and Other."""
    days = window.days[: (window.last - window.first).days + 1]
    place = {one: i for i, one in enumerate(days)}
    costs: dict[str | None, list[int]] = defaultdict(lambda: [0] * len(days))
    for row in rows:
        costs[row.model][place[row.day]] += row.cost
    unpriced = [(one.model, one.unpriced) for one in models if one.unpriced > 0]
    series = [Series(name, slot, tuple(costs[name])) for name, slot in colours.items() if name in costs]
    rest = [values for name, values in costs.items() if name not in colours and any(values)]
    if rest:
        series.append(Series("Other", OTHER_SLOT, tuple(sum(values) for values in zip(*rest, strict=True))))
    return Spend(
        window=window,
        days=days,
        series=tuple(sorted(series, key=lambda one: one.slot)),
        calls=sum(row.calls for row in rows),
        today_calls=sum(row.calls for row in rows if row.day == window.today),
        unpriced=tuple(sorted(unpriced, key=lambda item: (-item[1], item[0]))),
        unmeasured=max(0, sum(row.unmeasured for row in rows)),
        premium_cost=sum(one.cost for one in tiers if one.tier >= PREMIUM),
        premium_calls=sum(one.calls for one in tiers if one.tier >= PREMIUM),
        tiered_calls=sum(one.calls for one in tiers if one.tier),
    )
