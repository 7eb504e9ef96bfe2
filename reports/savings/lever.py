"""What a lever is: the one shape of every file in `levers/`, and what they learn from before they change a call. Pure.

A lever first learns from each workflow's window as a whole (`learn`), then changes calls one by one (`applies`). What
the ledger cannot know is said (`Unknown`), never guessed.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from reports.savings.call import Call, Prices

PERCENT = 100
LEAST_CALLS = 100  # of a workflow, before a share of its calls says anything
FIRST, SHOW, THEN = "first", "show", "then"
STAGES = {
    FIRST: "First: less waste, by the same models",
    SHOW: "Next: try it on a part, and look at the result",
    THEN: "After an evaluation: other models",
}


class Use(msgspec.Struct, frozen=True):
    """Calls of one workflow that are alike in model, service tier, task type and stage, summed over the window.

    `cost` covers calls with a known cost. `quiet` name neither a user nor a session; of those `night` were made between
    20:00 and 6:00 of the organisation's clock. `hits` were answered from a semantic or response cache. `schema` gave
    structured answers with `schema_output` tokens in all, `plain` others that stated a format.
    """

    provider: str
    model: str
    tier: int
    service_tier: str
    task_type: str
    stage: str
    operation: str
    application: str
    calls: int
    cost: int
    input_tokens: int
    output_tokens: int
    quiet: int
    night: int
    hits: int
    schema: int
    schema_output: int
    plain: int


class Shape(msgspec.Struct, frozen=True):
    """One workflow's window: what levers learn from. Sizes at a percentile are those of calls that state them.

    `attempts` are calls that repeat one, `tries` those beyond the third attempt at a step. `layered` calls state what
    their input is made of; `chunked` how many passages were looked up, `retrieved` how many tokens those have, too;
    `exposed` how many tools were offered, `tooled` how many were used and their tokens, too; `prefixed` what they begin
    with, `repeated` of them followed one that began alike within five minutes; `hashed` the hash of their prompt.
    `limits` are the workflow's limits as they are now. `calls`, `cost` and `tokens` are of all calls, everything else
    is of those that are looked at: fewer in a sample.
    """

    workflow: str
    calls: int
    cost: int
    tokens: int
    uses: Sequence[Use]
    limits: Mapping[str, Any]
    days: int
    output_99: int = 0
    longest_output: int = 0
    attempts: int = 0
    tries: int = 0
    runs: int = 0
    steps_50: int = 0
    steps_99: int = 0
    most_steps: int = 0
    layered: int = 0
    history_95: int = 0
    most_history: int = 0
    chunked: int = 0
    retrieved: int = 0
    chunks_50: int = 0
    most_chunks: int = 0
    exposed: int = 0
    tooled: int = 0
    tools_used_99: int = 0
    most_tools: int = 0
    prefixed: int = 0
    hashed: int = 0
    repeated: int = 0

    def scaled(self, tokens: int) -> int:
        """Tokens of the calls in `uses`, as of all calls: more only where a sample was looked at."""
        seen = sum(use.input_tokens + use.output_tokens for use in self.uses)
        return tokens * self.tokens // seen if seen else tokens

    def limit(self, name: str) -> int | None:
        """A limit that is a whole number; None where it is not set."""
        value = self.limits.get(name)
        return value if isinstance(value, int) else None

    def tightens(self, name: str, most: int) -> bool:
        """Whether `most` would be less than what is allowed now."""
        now = self.limit(name)
        return now is None or most < now


class TierModels(msgspec.Struct, frozen=True):
    """A tier of the policy in force with its models, (provider, model), in their order."""

    number: int
    name: str
    models: Sequence[tuple[str, str]]


class Known(msgspec.Struct, frozen=True):
    """What is known beside the calls: prices, the tiers in force, every (provider, model) of the book, when this is."""

    prices: Prices
    tiers: Sequence[TierModels]
    listed: Sequence[tuple[str, str]]
    now: datetime

    def rates(self, provider: str, model: str, service_tier: str = "standard") -> tuple[int, int] | None:
        """What input and output cost now, in the book's unit; None where it does not price both."""
        price = self.prices.find(provider, model, service_tier, self.now)
        if price is None or price.rates.input is None or price.rates.output is None:
            return None
        return price.rates.input, price.rates.output

    def is_cheaper(self, one: tuple[str, str], other: tuple[str, str]) -> bool:
        """Whether `one` costs less than `other` for input or output, and more for neither."""
        a, b = self.rates(*one), self.rates(*other)
        return a is not None and b is not None and a != b and a[0] <= b[0] and a[1] <= b[1]

    def cheapest(self, tier: TierModels, than: tuple[str, str]) -> tuple[str, str] | None:
        """The cheapest model of a tier that costs less than `than`; None where there is none."""
        found = [(sum(rates), n, one) for n, one in enumerate(tier.models) if (rates := self.rates(*one))]
        return next((one for *_, one in sorted(found) if self.is_cheaper(one, than)), None)


class Terms(msgspec.Struct, frozen=True):
    """What a lever would do in one workflow. `says` is the evidence, a sentence with its numbers.

    What the button prepares: `limits` of the workflow as its form has them (`task_limits` those of a task type),
    `rules` for the policy as its document has them, or `models` for its tiers, each with the one that takes its place
    ([[provider, model], [provider, model]]). `values` are for the lever itself; all of it can be stored as JSON.
    """

    says: str
    limits: dict[str, Any] = {}
    task_limits: dict[str, dict[str, Any]] = {}
    rules: list[dict[str, Any]] = []
    models: list[list[list[str]]] = []
    values: dict[str, Any] = {}


class Unknown(msgspec.Struct, frozen=True):
    """Why the ledger cannot say what a lever would save in one workflow, and what would make it known."""

    says: str


class Lever(msgspec.Struct, frozen=True):
    """One way to spend less. `place` is where it stands in the order of pulling, `stage` one of STAGES.

    `how` says what it does, `risk` what may go wrong, `needs` what must be there or shown before it is pulled, `source`
    where its rule and thresholds are from.
    """

    key: str
    name: str
    place: int
    stage: str
    how: str
    risk: str
    needs: str
    source: str
    learn: Callable[[Shape, Known], Terms | Unknown | None]
    applies: Callable[[Call, Terms], Call]


def named(provider: str, model: str) -> str:
    """Both as one key."""
    return f"{provider} {model}"


def calls(many: int, one: str = "", several: str = "") -> str:
    """ "1 call is", "2,000 calls are": a number of calls with its verb; `one` for all where `several` is not stated."""
    verb = one if many == 1 else several or one
    return f"{many:,} call{'' if many == 1 else 's'}{' ' if verb else ''}{verb}"


def share(part: int, whole: int) -> str:
    """ "12%", "under 1%"."""
    if part and part * PERCENT < whole:
        return "under 1%"
    return f"{part * PERCENT // whole if whole else 0}%"
