"""What one call costs: exact integers, rounded once.

Pure: neither Django nor models. Every part is a whole number of 10^-14 dollars (10^-18 where units are named), so the
sum is exact; the total is rounded half to even to nano-dollars, the parts by largest remainder so that they sum to it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from usage.prices.price import RATE_PER_NANO, REQUEST, TOKEN_KINDS, TOKEN_UNIT_SCALE, Price, Rates

PER_NANO_UNITS: Final = 10**9  # 10^-18 dollars in a nano-dollar
QUANTITY_DECIMALS: Final = 9
QUANTITY_SCALE: Final = 10**QUANTITY_DECIMALS
MOST: Final = 2**63 - 1  # what a bigint column holds

Quantity = int | Decimal


class CostParts(msgspec.Struct, frozen=True, gc=False):
    """Nano-dollars; the five parts sum to `total`."""

    input: int  # uncached
    cached: int
    cache_write: int
    output: int
    units: int
    total: int


AGGREGATE: Final = ("imported", "aggregate")  # the tag of a row that sums many calls; only imports may set it
LONG: Final = 200_001  # tokens of input from which providers that say "> 200k" count a call as long


def length_of_one(input_tokens: int, tags: Mapping[str, str] | None) -> int | None:
    """The input of one call in an imported row that sums many: the average, or what the export says of its length.

    None for an ordinary call, which is as long as it is. Where neither is known the calls count as short ones.
    """
    if not tags or tags.get(AGGREGATE[0]) != AGGREGATE[1]:
        return None
    if tags.get("context_window", "").startswith(">"):
        return max(LONG, input_tokens)
    calls = tags.get("calls", "")
    return input_tokens // int(calls) if calls.isascii() and calls.isdecimal() and int(calls) else 0


def cost_of(
    price: Price,
    input_tokens: int,
    cached_input_tokens: int,
    cache_write_tokens: int,
    output_tokens: int,
    units: Mapping[str, Quantity] | None = None,
    reasoning_tokens: int = 0,
    input_of_one: int | None = None,
) -> CostParts | None:
    """The cost of one call, or None when the price does not cover all of it (unpriced, which is not free).

    `input_tokens` counts cached and cache-written tokens too, `output_tokens` counts reasoning; `reasoning_tokens`
    matters only where a provider prices them apart. A call whose whole input reaches a long-context step is priced at
    that step as a whole; `input_of_one` is that input where the counts sum many calls (`length_of_one`). ValueError
    where the subsets exceed the input or a count is negative: the sender's mistake, to be refused before it comes here.
    """
    rates = price.rates
    if price.steps:
        rates = price.reached(input_tokens if input_of_one is None else input_of_one)
    plain = input_tokens - cached_input_tokens - cache_write_tokens
    if plain < 0 or cached_input_tokens < 0 or cache_write_tokens < 0 or output_tokens < 0:
        raise ValueError("Token counts are negative, or cached and cache-write tokens exceed the input.")
    if units or rates.per_call:
        counts = [plain, cached_input_tokens, cache_write_tokens, output_tokens]
        return _with_units(rates, counts, units or {}, reasoning_tokens)
    nano = rates.nano
    if nano is not None:
        a = plain * nano[0]
        b = cached_input_tokens * nano[1]
        c = cache_write_tokens * nano[2]
        d = output_tokens * nano[3]
        total = a + b + c + d
        return CostParts(a, b, c, d, 0, total) if total <= MOST else None
    if not rates.complete and not _covers(rates, plain, cached_input_tokens, cache_write_tokens, output_tokens):
        return None
    return _rounded(
        (
            plain * (rates.input or 0),
            cached_input_tokens * (rates.cached or 0),
            cache_write_tokens * (rates.cache_write or 0),
            output_tokens * (rates.output or 0),
            0,
        ),
        RATE_PER_NANO,
    )


def _covers(rates: Rates, plain: int, cached: int, cache_write: int, output: int) -> bool:
    return not (
        (plain and rates.input is None)
        or (cached and rates.cached is None)
        or (cache_write and rates.cache_write is None)
        or (output and rates.output is None)
    )


def _with_units(
    rates: Rates, counts: list[int], units: Mapping[str, Quantity], reasoning_tokens: int
) -> CostParts | None:
    """As `cost_of`, with metered units. `counts` (uncached, cached, cache write, output) is taken over and changed."""
    kinds = [0, 0, 0, 0]  # 10^-18 dollars of tokens priced apart, added to the part they belong to
    metered = 0  # 10^-18 dollars / QUANTITY_SCALE
    owed = dict(units)
    if REQUEST in rates.units and REQUEST not in owed and "requests" not in owed:
        owed[REQUEST] = 1
    if reasoning_tokens and "reasoning_tokens" in rates.units:
        owed.setdefault("reasoning_tokens", reasoning_tokens)
    for name, quantity in owed.items():
        if not quantity:
            continue
        each = rates.units.get(name)
        count = scaled(quantity)
        if each is None or count is None:
            return None
        part = TOKEN_KINDS.get(name)
        if part is None:
            metered += count * each
            continue
        tokens, fraction = divmod(count, QUANTITY_SCALE)
        counts[part] -= tokens
        if fraction or counts[part] < 0:
            return None
        kinds[part] += tokens * each
    if not _covers(rates, *counts):
        return None
    numbers = (rates.input, rates.cached, rates.cache_write, rates.output)
    exact = [
        (count * (rate or 0) * TOKEN_UNIT_SCALE + kind) * QUANTITY_SCALE
        for count, rate, kind in zip(counts, numbers, kinds, strict=True)
    ]
    return _rounded((exact[0], exact[1], exact[2], exact[3], metered), PER_NANO_UNITS * QUANTITY_SCALE)


def scaled(quantity: Quantity) -> int | None:
    """`quantity` x 10^9 as a whole number; None for one that is negative, not finite, endless or beyond belief."""
    if isinstance(quantity, int):
        return quantity * QUANTITY_SCALE if 0 <= quantity <= MOST else None
    if not quantity.is_finite() or not 0 <= quantity <= MOST:
        return None
    exponent = quantity.as_tuple().exponent
    if isinstance(exponent, str) or exponent < -QUANTITY_DECIMALS:
        return None
    numerator, denominator = quantity.as_integer_ratio()
    return numerator * QUANTITY_SCALE // denominator  # exact: at most nine decimals


def _rounded(parts: tuple[int, int, int, int, int], per_nano: int) -> CostParts | None:
    """Nano-dollars from exact parts in 1/`per_nano` nano-dollars; None beyond what a ledger column holds."""
    total, rest = divmod(parts[0] + parts[1] + parts[2] + parts[3] + parts[4], per_nano)
    if rest * 2 > per_nano or (rest * 2 == per_nano and total & 1):
        total += 1
    if total > MOST:
        return None
    whole = [part // per_nano for part in parts]
    missing = total - sum(whole)
    if missing:
        # Never more missing than parts with a remainder, so a part without tokens stays zero. Ties: earlier part first.
        rests = [part % per_nano for part in parts]
        for _ in range(missing):
            largest = rests.index(max(rests))
            whole[largest] += 1
            rests[largest] = -1
    return CostParts(whole[0], whole[1], whole[2], whole[3], whole[4], total)
