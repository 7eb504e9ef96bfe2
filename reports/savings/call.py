"""One past call as the levers see it, what they may change of it, and what the changed call costs. Pure.

A lever hands back another call; the price book says what that costs. Sizes are tokens, money is nano-dollars.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from usage.prices.cost import cost_of, length_of_one
from usage.prices.price import Price

WHOLE = 10_000  # parts of a call that are made: a cache that answers a third leaves 6,667


class Prices(Protocol):
    """What of the price book is used."""

    def find(self, provider: str, model: str, service_tier: str, time: datetime) -> Price | None: ...

    def canonical(self, provider: str, model: str) -> tuple[str, str]: ...


class Call(msgspec.Struct, frozen=True, gc=False):
    """What the ledger knows of a call. `cost` with its corrections; None: unknown, and no lever touches it.

    `position` is its place among the steps of its run (the first attempt of a step counts), None without a run.
    `prefix_key` stands for what the input begins with: the hash that the sender states, or template version and size of
    the layers that come first; None where neither is stated. `since_prefix` are the seconds since the workflow's last
    answered call of the same model that began alike, `since_prompt` since one with the same hash of its whole prompt;
    None where there was none. `waits`: it names a user or a session, so somebody may wait for it. `made` is the part of
    it that is still made, of 10,000.
    """

    id: int
    time: datetime
    workflow: str
    run_id: str | None
    attempt: int
    position: int | None
    stage: str
    task_type: str
    operation: str
    environment: str
    application: str
    provider: str
    model: str
    tier: int
    service_tier: str
    status: str
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    context: Mapping[str, int] | None
    retrieved_chunks: int | None
    tools_exposed: int | None
    tools_used: int | None
    response_format: str
    cache: str
    prefix_key: str | None
    prefix_tokens: int | None
    since_prefix: float | None
    since_prompt: float | None
    waits: bool
    units: Mapping[str, Any] | None
    tags: Mapping[str, str] | None
    cost: int | None
    made: int = WHOLE

    def layer(self, name: str) -> int:
        """Input tokens of a layer of the context; 0 where it states none."""
        return (self.context or {}).get(name, 0)


change = msgspec.structs.replace


def not_made(call: Call) -> Call:
    """The call is spared."""
    return change(call, made=0)


def shorter(call: Call, layer: str, by: int) -> Call:
    """The call with `by` fewer input tokens of one layer.

    What is left out was perhaps read from a cache already: cached tokens go first, so that no saving is overstated.
    """
    by = min(by, call.layer(layer), call.input_tokens)
    if by <= 0:
        return call
    cached = min(by, call.cached_input_tokens)
    plain = min(by - cached, call.input_tokens - call.cached_input_tokens - call.cache_write_tokens)
    context = {**(call.context or {}), layer: call.layer(layer) - by}
    return change(
        call,
        input_tokens=call.input_tokens - by,
        cached_input_tokens=call.cached_input_tokens - cached,
        cache_write_tokens=call.cache_write_tokens - (by - cached - plain),
        context=context,
    )


def fewer(call: Call, layer: str, there: int, most: int) -> Call:
    """The call with at most `most` of the `there` things that a layer tells of, taken to be equally long."""
    return shorter(call, layer, call.layer(layer) * (there - most) // there) if there > most else call


def capped(call: Call, most: int) -> Call:
    """The call with an answer of at most `most` tokens."""
    if call.output_tokens <= most:
        return call
    return change(call, output_tokens=most, reasoning_tokens=min(call.reasoning_tokens, most))


class Pricing:
    """What calls cost, changed or not."""

    def __init__(self, prices: Prices, now: datetime) -> None:
        self._prices, self._now = prices, now

    def price(self, call: Call) -> int | None:
        """By the book alone, of the part that is made; None where it has no price for all of it.

        A model that had no price yet when the call was made is priced as it is now.
        """
        named = (call.provider, call.model, call.service_tier or "standard")
        price = self._prices.find(*named, call.time) or self._prices.find(*named, self._now)
        if price is None:
            return None
        units = {name: Decimal(str(amount)) for name, amount in call.units.items()} if call.units else None
        parts = cost_of(
            price,
            call.input_tokens,
            call.cached_input_tokens,
            call.cache_write_tokens,
            call.output_tokens,
            units,
            call.reasoning_tokens,
            length_of_one(call.input_tokens, call.tags),
        )
        return None if parts is None else portion(parts.total, call.made, WHOLE)

    def after(self, was: Call, now: Call) -> int | None:
        """What the changed call `now` costs where `was`, as the ledger has it, cost `was.cost`; None: cannot be said.

        Where the book's price of `was` is what the ledger has, it is the book's price of `now`. Where it is another one
        (a discount that was set later, say), the ledger's cost changes in the proportion that the book's does.
        """
        if was.cost is None or now is was:
            return was.cost
        if not now.made:
            return 0
        before = self.price(was)
        after = self.price(now)
        if before is None or after is None:
            return None
        if before == was.cost or not before:
            return after if before == was.cost else None
        return portion(was.cost, after, before)


def portion(amount: int, part: int, whole: int) -> int:
    """`amount` x `part` / `whole`, rounded half to even."""
    found, rest = divmod(amount * part, whole)
    if rest * 2 > whole or (rest * 2 == whole and found & 1):
        found += 1
    return found
