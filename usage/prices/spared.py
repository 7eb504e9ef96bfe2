"""What caches spared of one call: exact integers, rounded once.

Pure: neither Django nor models. Tokens that were not paid, since a cache answered, at the price of their kind; cached
input tokens at what they cost less than uncached ones. By the rates that priced the call: the step its own input
reached, the hour it was made.
"""

from collections.abc import Mapping
from typing import Final

from usage.prices.cost import MOST, QUANTITY_SCALE, Quantity, scaled
from usage.prices.price import RATE_PER_NANO, TOKEN_UNIT_SCALE, Price, Rates

# Cached tokens with a price of their own (units of the event), and what they would have been without the cache.
UNCACHED: Final[Mapping[str, str]] = {
    "cached_audio_tokens": "input_audio_tokens",
    "cached_image_tokens": "input_image_tokens",
}
EXACT_PER_NANO: Final = RATE_PER_NANO * TOKEN_UNIT_SCALE  # 10^-18 dollars in a nano-dollar


def spared_by_caches(
    price: Price,
    whole_input: int,
    cached_input_tokens: int,
    avoided_input_tokens: int,
    avoided_output_tokens: int,
    units: Mapping[str, Quantity] | None = None,
) -> int | None:
    """Nano-dollars, half to even; None where nothing was cached or avoided, or a price that it takes is not known.

    `whole_input` is what decides the long-context step, as in `cost_of`. Below 0 where cached tokens cost more than
    uncached ones: the cache cost money then. What writing into a cache cost more than plain input is part of the cost
    and is not taken off here.
    """
    if not (cached_input_tokens or avoided_input_tokens or avoided_output_tokens):
        return None
    rates = price.reached(whole_input) if price.steps else price.rates
    if not units and (nano := rates.nano) is not None:
        saved = cached_input_tokens * (nano[0] - nano[1]) + avoided_input_tokens * nano[0]
        saved += avoided_output_tokens * nano[3]
        return saved if -MOST <= saved <= MOST else None
    if (rates.input is None and (cached_input_tokens or avoided_input_tokens)) or (
        rates.output is None and avoided_output_tokens
    ):
        return None
    plainly, apart = _cached(rates, cached_input_tokens, units or {})
    exact = (avoided_input_tokens * (rates.input or 0) + avoided_output_tokens * (rates.output or 0) + plainly) * (
        TOKEN_UNIT_SCALE
    ) + apart
    saved, rest = divmod(exact, EXACT_PER_NANO)
    if rest * 2 > EXACT_PER_NANO or (rest * 2 == EXACT_PER_NANO and saved & 1):
        saved += 1
    return saved if -MOST <= saved <= MOST else None


def _cached(rates: Rates, cached: int, units: Mapping[str, Quantity]) -> tuple[int, int]:
    """What cached tokens cost less: 10^-14 dollars of plain ones, 10^-18 dollars of those priced apart.

    `cost_of` has priced the call, so units are whole and within the cached tokens.
    """
    uncached = rates.input or 0
    apart = 0
    for name, plain in UNCACHED.items():
        count = (scaled(units[name]) or 0) // QUANTITY_SCALE if name in units else 0
        if count:
            cached -= count
            apart += count * (rates.units.get(plain, uncached * TOKEN_UNIT_SCALE) - rates.units.get(name, 0))
    return cached * (uncached - (rates.cached or 0)), apart
