"""Tiers and their models: what a call would cost at each, and which of them serves it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tokenops_sdk.asking import Model
from tokenops_sdk.rules import share

PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class TierModel:
    """A model of a tier; `steps` are (from so much input on, input price, output price), prices a million tokens."""

    named: Model
    latency_ms: int | None
    quality: Decimal | None
    steps: tuple[tuple[int, int | None, int | None], ...]

    def cost(self, input_tokens: int | None, output_tokens: int) -> int | None:
        """Nano-dollars, rounded up; None where the input or a price that it needs is not known."""
        if input_tokens is None or not self.steps:
            return None
        _, price_in, price_out = self.steps[0]
        for start, step_in, step_out in self.steps:
            if input_tokens < start:
                break
            price_in, price_out = step_in, step_out
        if (price_in is None and input_tokens) or (price_out is None and output_tokens):
            return None
        return -(-(input_tokens * (price_in or 0) + output_tokens * (price_out or 0)) // PER_MILLION)


@dataclass(frozen=True, slots=True)
class Tier:
    """Models in order of preference."""

    number: int
    name: str
    needs_approval: bool
    models: tuple[TierModel, ...]


def tier_of(said: Mapping[str, Any]) -> Tier:
    """A tier of the document."""
    return Tier(
        said["number"],
        said["name"],
        said["needs_approval"],
        tuple(
            TierModel(
                Model(one["provider"], one["model"]),
                one["latency_ms"],
                share(one["quality"]),
                tuple((step["from_input_tokens"], step["input"], step["output"]) for step in one["prices"]),
            )
            for one in said["models"]
        ),
    )


def least(*numbers: int | None) -> int | None:
    """The smallest of those that are stated; None where none is."""
    stated = [number for number in numbers if number is not None]
    return min(stated) if stated else None


def fitting(models: Iterable[TierModel], provider: str, model: str) -> TierModel | None:
    """The first of that name, of any provider where none is stated."""
    for one in models:
        if one.named.model == model and (not provider or provider == one.named.provider):
            return one
    return None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model must be known to be: so fast (milliseconds), so good, so cheap (nano-dollars); None: no matter."""

    latency_ms: int | None
    quality: Decimal | None
    cost: int | None

    def met_by(self, model: TierModel, cost: int | None) -> bool:
        """Whether it is; `cost` is that of the call, None where it is not known."""
        return (
            (self.latency_ms is None or (model.latency_ms is not None and model.latency_ms <= self.latency_ms))
            and (self.quality is None or (model.quality is not None and model.quality >= self.quality))
            and (self.cost is None or (cost is not None and cost <= self.cost))
        )


def cheapest(
    models: Sequence[TierModel], wanted: Wanted, input_tokens: int | None, output_tokens: int
) -> TierModel | None:
    """The cheapest that is what is wanted; the first of several, and of those without a known cost. None: none is."""
    best, best_cost = None, None
    for one in models:
        cost = one.cost(input_tokens, output_tokens)
        if wanted.met_by(one, cost) and (
            best is None or (cost is not None and (best_cost is None or cost < best_cost))
        ):
            best, best_cost = one, cost
    return best
