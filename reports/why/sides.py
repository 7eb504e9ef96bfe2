"""One stretch of time as the values of the factors that its costs are products of. Pure.

Calls are told apart in steps, each with its share of the step before: workflow, kind of work, retry or failure,
answered by a cache or not, model, service tier, prompt version. A share of what is not there on this side is None: it
cannot be said, and `reports.why.factors` takes it as it is on the other side.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Final, NamedTuple

from reports.why.cells import KINDS, LAYERS, OUTPUT, UNKNOWN_RATES, Cell, Number, Rate, Rates, Runs, Usage

Path = tuple[object, ...]
What = str | int  # "input", "output", or the place of a layer in LAYERS


class Place(NamedTuple):
    """A leaf, step by step: each path begins with the one before."""

    workflow: int
    in_run: bool
    work: Path
    attempt: Path
    served: Path
    model: Path
    service_tier: Path
    prompt_version: Path
    priced_as: tuple[tuple[str, str], str]  # model and service tier, wherever used


def place_of(cell: Cell) -> Place:
    work = (cell.workflow, cell.in_run, cell.work)
    attempt = (*work, cell.retry, cell.failed)
    served = (*attempt, cell.served)
    model = (*served, cell.model)
    tier = (*model, cell.service_tier)
    version = (*tier, cell.prompt_version)
    priced_as = (cell.model, cell.service_tier)
    return Place(cell.workflow, cell.in_run, work, attempt, served, model, tier, version, priced_as)


@dataclass(slots=True)
class Leaf:
    """Calls that no step tells apart. `listed` is what their tokens come to at the prices in force, by KINDS."""

    calls: Number = 0
    known: Number = 0
    tokens: list[Number] = field(default_factory=lambda: [0] * len(KINDS))
    costs: list[Number] = field(default_factory=lambda: [0] * len(KINDS))
    listed: list[Number] = field(default_factory=lambda: [0] * len(KINDS))
    stated: list[Rate] = field(default_factory=lambda: list(UNKNOWN_RATES))  # the price in force, were there tokens
    extras: Number = 0
    laid: Number = 0
    layers: list[int] = field(default_factory=lambda: [0] * len(LAYERS))

    def add(self, cell: Cell) -> None:
        self.calls += cell.calls
        self.known += cell.known
        self.extras += cell.extras
        self.laid += cell.laid
        self.layers = [a + b for a, b in zip(self.layers, cell.layers, strict=True)]
        for kind, (tokens, cost, rate) in enumerate(zip(cell.tokens, cell.costs, cell.rates, strict=True)):
            if rate is not None:
                self.stated[kind] = rate
            if not tokens:
                self.extras += cost
                continue
            listed = Fraction(cost) if rate is None else tokens * rate
            if not listed and abs(Fraction(cost)) > cell.known:
                listed = Fraction(cost)
            if self.tokens[kind]:
                self.tokens[kind] += tokens
                self.costs[kind] += cost
                self.listed[kind] += listed
            else:  # adding a fraction to nothing takes ten times as long
                self.tokens[kind], self.listed[kind] = tokens, listed
                self.costs[kind] = cost

    @property
    def input(self) -> Number:
        return sum(self.tokens[:OUTPUT])

    @property
    def is_laid(self) -> bool:
        """Whether all its calls state what their input was made of."""
        return bool(self.known) and self.laid == self.known

    def size(self, what: What) -> Number:
        """Tokens of input, of output, or of a layer by its place in LAYERS."""
        if what == "input":
            return self.input
        return self.tokens[OUTPUT] if what == "output" else self.layers[int(what)]

    def rate(self, kind: int) -> Rate:
        return Fraction(self.listed[kind], self.tokens[kind]) if self.tokens[kind] else self.stated[kind]

    def terms(self, kind: int) -> Fraction:
        """What was charged, to what the prices in force come to: long inputs, hours of the day, kinds priced apart.

        One where they differ by no more than the rounding of each call to whole nano-dollars.
        """
        listed, cost = Fraction(self.listed[kind]), self.costs[kind]
        return Fraction(1) if not listed or abs(cost - listed) <= self.known else cost / listed


LEAST: Final = Runs(0, 0)


class Side:
    """A stretch of time, ready to be asked."""

    def __init__(self, usage: Usage) -> None:
        self.calls: dict[Path, Number] = defaultdict(int)
        self.first: dict[Path, Number] = defaultdict(int)
        self.leaves: dict[Place, Leaf] = defaultdict(Leaf)
        self.branches: dict[Path, list[Place]] = defaultdict(list)
        self.workflows: set[int] = set()
        self.runs = usage.runs
        self._priced: dict[tuple[tuple[str, str], str], Leaf] = defaultdict(Leaf)
        for cell in usage.cells:
            if cell.calls > 0:
                self._add(cell)
        for place in self.leaves:
            self.branches[place.served].append(place)
        self.average = cache(self._average)

    def _add(self, cell: Cell) -> None:
        place = place_of(cell)
        self.leaves[place].add(cell)
        self._priced[place.priced_as].add(cell)
        self.workflows.add(cell.workflow)
        steps = place.work, place.attempt, place.served, place.model, place.service_tier, place.prompt_version
        for path in steps:
            known = self.calls.get(path)
            self.calls[path] = cell.calls if known is None else known + cell.calls
        if not cell.retry:
            self.first[place.work] += cell.calls

    def runs_of(self, workflow: int) -> Runs:
        return self.runs.get(workflow, LEAST)

    def first_of(self, work: Path) -> Number:
        """First attempts of a kind of work; all its calls where none of them is one."""
        return self.first.get(work) or self.calls.get(work, 0)

    def share(self, path: Path, of: Path) -> Fraction | None:
        """Of the calls at `of` those at `path`."""
        whole = self.calls.get(of)
        return Fraction(self.calls.get(path, 0), whole) if whole else None

    def market(self, place: Place) -> Rates:
        """The prices of its model in its service tier on this side, from all the calls that were made at them."""
        leaf = self._priced.get(place.priced_as)
        if leaf is None:
            return UNKNOWN_RATES
        return leaf.rate(0), leaf.rate(1), leaf.rate(2), leaf.rate(3)

    def per_call(self, place: Place, what: What) -> Fraction | None:
        """Tokens of input, of output or of a layer of the input for each call with a known cost."""
        leaf = self.leaves.get(place)
        return Fraction(leaf.size(what), leaf.known) if leaf and leaf.known else None

    def terms(self, place: Place, kind: int) -> Fraction | None:
        leaf = self.leaves.get(place)
        return leaf.terms(kind) if leaf and leaf.known else None

    def part_of_input(self, place: Place, kind: int) -> Fraction | None:
        leaf = self.leaves.get(place)
        return Fraction(leaf.tokens[kind], leaf.input) if leaf and leaf.input else None

    def extras(self, place: Place) -> Fraction | None:
        leaf = self.leaves.get(place)
        return Fraction(leaf.extras, leaf.known) if leaf and leaf.known else None

    def known(self, place: Place) -> Fraction | None:
        leaf = self.leaves.get(place)
        return Fraction(leaf.known, leaf.calls) if leaf else None

    def are_laid(self, served: Path) -> bool:
        """Whether all calls of a branch state what their input was made of."""
        return all(self.leaves[place].is_laid for place in self.branches.get(served, ()) if self.leaves[place].known)

    def _average(self, served: Path, what: What) -> Fraction | None:
        leaves = [self.leaves[place] for place in self.branches.get(served, ())]
        known = sum(leaf.known for leaf in leaves)
        return Fraction(sum(leaf.size(what) for leaf in leaves), known) if known else None
