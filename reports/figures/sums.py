"""What figures are made of: sums of a scope and a window, that add up. Pure: no Django, no models.

Money in nano-dollars, tokens and calls as counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Self, TypeVar

from usage.rollups.counted import Runs
from usage.rollups.sums import LAYERS

Sums = TypeVar("Sums", bound="Adding")
CACHES = ("prompt", "semantic", "response", "retrieval", "embedding")


@dataclass(frozen=True, slots=True)
class Adding:
    """Sums that add up, field by field."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Used(Adding):
    """What was spent. `premium_cost` is of tier 3 and above, `tiered_calls` have a tier, `unclaimed…` nobody's."""

    calls: int = 0
    unmeasured: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0
    escalated: int = 0
    cost: int = 0
    calls_in_runs: int = 0
    cost_in_runs: int = 0
    premium_cost: int = 0
    tiered_calls: int = 0
    unclaimed_cost: int = 0

    @property
    def measured(self) -> int:
        return self.calls - self.unmeasured

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Made(Adding):
    """What input was made of, and what caches spared; `context_input` is the whole input of the calls with layers."""

    calls: int = 0
    cached_input_tokens: int = 0
    avoided_tokens: int = 0
    saved: int = 0
    tool_tokens: int = 0
    retrieved_chunks: int = 0
    context_calls: int = 0
    context_input: int = 0
    system: int = 0
    history: int = 0
    retrieval: int = 0
    tools: int = 0
    memory: int = 0
    user: int = 0
    output_format: int = 0

    def layer(self, name: str) -> int:
        value: int = getattr(self, name)
        return value

    @property
    def layered(self) -> int:
        """Tokens that some layer has."""
        return sum(self.layer(one) for one in LAYERS)


@dataclass(frozen=True, slots=True)
class Went(Adding, Runs):
    """Runs, and what became of them; `spent` is what calls of runs cost in the window, whenever those count.

    Of the runs that are `seen` in the window `stepped` state steps, `capped` are of workflows that limit steps, `over`
    those of them beyond the limit; `longest` is the highest step.
    """

    spent: int = 0
    seen: int = 0
    stepped: int = 0
    capped: int = 0
    over: int = 0
    longest: int = 0

    def __add__(self, other: "Went") -> "Went":
        both = Adding.__add__(self, other)
        return replace(both, longest=max(self.longest, other.longest))


@dataclass(frozen=True, slots=True)
class Named:
    """A workflow as figures name it. `caches` are the kinds that it may be answered from, `step_cap` its limit."""

    id: int
    slug: str
    name: str
    team: str
    team_name: str
    is_claimed: bool
    step_cap: int | None
    caches: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wide:
    """A dimension that calls may state: what those cost that do, how many values there are, the dearest of them.

    A cost is None where none of its calls has a price.
    """

    cost: int | None = 0
    calls: int = 0
    values: int = 0
    rows: tuple[tuple[str, int | None, int], ...] = ()  # value, cost, calls


@dataclass(frozen=True, slots=True)
class Read:
    """Everything of one scope and window. What could not be read is None, and `missing` says why, by name.

    `made` is by workflow and cache; `went` by workflow, None where runs cannot be told apart so.
    """

    total: Used | None
    workflows: Mapping[int, Used] = field(default_factory=dict)
    models: Mapping[tuple[str, str], Used] = field(default_factory=dict)
    teams: Mapping[str, Used] = field(default_factory=dict)
    made: Mapping[tuple[int, str], Made] | None = None
    went: Mapping[int, Went] | None = None
    wide: Mapping[str, Wide] | None = None
    findings: int | None = None
    named: Mapping[int, Named] = field(default_factory=dict)
    team_names: Mapping[str, str] = field(default_factory=dict)  # of teams that the asker sees
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def made_in_all(self) -> Made | None:
        return None if self.made is None else added(self.made.values(), Made())

    @property
    def went_in_all(self) -> Went | None:
        return None if self.went is None else added(self.went.values(), Went())

    def made_of(self, workflow: int) -> Made:
        return added((one for (of, _), one in (self.made or {}).items() if of == workflow), Made())


def added(many: Iterable[Sums], nothing: Sums) -> Sums:
    total = nothing
    for one in many:
        total = total + one
    return total
