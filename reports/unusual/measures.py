"""What is watched of a workflow, a team or a model in one grain of time. Pure: no Django, no models."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NANO = 1_000_000_000
QUARTER, HOUR = 900, 3600  # seconds of a grain
GRAINS = (QUARTER, HOUR)
MONEY, TOKENS, CALLS = "money", "tokens", "calls"
PER_RUN, PER_CALL, RETRIES = "cost_per_run", "output_per_call", "retry_rate"
MEASURES: Mapping[str, str] = {
    MONEY: "Money",
    TOKENS: "Amount of text",
    CALLS: "Calls",
    PER_RUN: "Cost of a run",
    PER_CALL: "Length of answers",
    RETRIES: "Share of repeated calls",
}
# A share or a mean of fewer is left out: it says nothing.
LEAST_RUNS, LEAST_MEASURED, LEAST_CALLS = 3, 5, 10


@dataclass(frozen=True, slots=True)
class Sums:
    """Usage of one scope in one grain. Money in nano-dollars; `measured` calls state their tokens."""

    calls: int = 0
    measured: int = 0
    retries: int = 0
    cost: int = 0
    tokens: int = 0
    output: int = 0
    runs: int = 0
    run_cost: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


NOTHING = Sums()


def value_of(measure: str, sums: Sums) -> float | None:
    """In dollars, tokens, calls, dollars per run, tokens per call, share of calls. None: it cannot be said."""
    if measure == MONEY:
        return sums.cost / NANO
    if measure == TOKENS:
        return float(sums.tokens)
    if measure == CALLS:
        return float(sums.calls)
    if measure == PER_RUN:
        return sums.run_cost / NANO / sums.runs if sums.runs >= LEAST_RUNS else None
    if measure == PER_CALL:
        return sums.output / sums.measured if sums.measured >= LEAST_MEASURED else None
    return sums.retries / sums.calls if sums.calls >= LEAST_CALLS else None


def measures_of(dimension: str) -> tuple[str, ...]:
    """A run has a workflow, which has a team; but it may use many models."""
    return tuple(one for one in MEASURES if one != PER_RUN or dimension != "model")


def by_grain(quarters: Mapping[int, Sums], grain: int) -> dict[int, Sums]:
    """Quarter hours (epoch second of their start → sums) as grains of so many seconds."""
    if grain == QUARTER:
        return dict(quarters)
    found: dict[int, Sums] = {}
    for at, sums in quarters.items():
        start = at - at % grain
        found[start] = found[start] + sums if start in found else sums
    return found


def first_use(quarters: Iterable[int]) -> int | None:
    return min(quarters, default=None)
