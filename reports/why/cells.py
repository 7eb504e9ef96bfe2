"""Usage of one stretch of time, summed by what tells costs apart. Pure: no Django, no models.

Costs are nano-dollars. Where a budget counts tokens or calls, its tokens or calls stand in their place, at a price of
one each, so that the same arithmetic explains them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Final

from reports.asking.layers import LAYER_WORDS

PLAIN, CACHED, WRITTEN, OUTPUT = range(4)
KINDS: Final = ("plain", "cached", "written", "output")  # of tokens: uncached, cached, cache-written input; output
LAYERS: Final = tuple(LAYER_WORDS)

Number = int | Fraction  # a fraction where a rollup's sums are shared out
Quad = tuple[Number, Number, Number, Number]  # by KINDS
Rate = Fraction | None
Rates = tuple[Rate, Rate, Rate, Rate]
UNKNOWN_RATES: Final[Rates] = (None, None, None, None)


@dataclass(frozen=True, slots=True)
class Cell:
    """Calls that are alike. `failed` ones did not end well, `served` ones were answered by a cache, not by a model.

    `known` of the `calls` have a known cost; tokens (by KINDS), costs and layers are those of the known ones. `costs`
    are by KINDS, `extras` what units beside tokens cost. `rates` are the prices in force, nano-dollars a token, None
    where not known. `layers` are input tokens of the `laid` calls that state their layers.
    """

    workflow: int
    model: tuple[str, str]  # provider, model
    in_run: bool = True
    work: tuple[str, ...] = ()  # stage, kind of step, kind of task, operation
    retry: bool = False
    failed: bool = False
    served: bool = False
    service_tier: str = "standard"
    prompt_version: str = ""
    calls: Number = 0
    known: Number = 0
    tokens: Quad = (0, 0, 0, 0)
    costs: Quad = (0, 0, 0, 0)
    extras: Number = 0
    rates: Rates = UNKNOWN_RATES
    laid: Number = 0
    layers: tuple[int, ...] = (0,) * len(LAYERS)

    @property
    def cost(self) -> Number:
        return sum(self.costs) + self.extras


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of one workflow that made a call, and their channels: one for each of a run, at least one."""

    runs: int
    channels: int


@dataclass(frozen=True)
class Usage:
    """One stretch of time. `runs` by workflow; `apart` holds what belongs to no call of it, by the part's key.

    `untold` are the models of calls that no cell could be made of.
    """

    cells: tuple[Cell, ...] = ()
    runs: Mapping[int, Runs] = field(default_factory=dict)
    apart: Mapping[str, int] = field(default_factory=dict)
    untold: frozenset[str] = frozenset()

    @cached_property
    def total(self) -> int:
        return int(sum(one.cost for one in self.cells)) + sum(self.apart.values())
