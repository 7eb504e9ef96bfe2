"""How an amount is shared out among several, in whole units and to the last of them. Pure: no Django, no models.

Amounts are integers (nano-dollars, tokens or calls); `unit` is the smallest step: a cent of money, one token, one call.
Nobody falls below the least that it must have, unless all leasts together are more than there is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Part:
    """One that shares. `weight` is its fixed share (0 to 1), or any number against those of the others."""

    key: int
    weight: Fraction
    least: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """What each gets. `held` got their least, more than their weight alone gives.

    `short`: by how much all leasts together exceed the whole; then nobody's least could be kept, and each got in
    proportion to it.
    """

    amounts: Mapping[int, int]
    held: frozenset[int] = frozenset()
    short: int = 0


class TooSmall(ValueError):
    """There are more to share than there are units."""


def by_weight(total: int, parts: Sequence[Part], unit: int = 1) -> Given:
    """All of `total` (to a whole unit), in proportion to the weights; where all weigh nothing, evenly.

    Raises TooSmall.
    """
    units, least, short = _units(total, parts, unit)
    if short:
        return short
    held, rest = _hold(units, parts, least)
    free = {one.key: one.weight for one in parts if one.key not in held}
    given = {key: least[key] for key in held} | largest_remainder(rest, free)
    return Given({one.key: given[one.key] * unit for one in parts}, frozenset(held))


def by_share(total: int, parts: Sequence[Part], unit: int = 1) -> Given:
    """Each its share of `total`, so that what is shared to nobody stays. Shares sum to at most 1.

    Where a least is more than the share, the excess comes from what is shared to nobody, and only then from the others.
    Raises TooSmall.
    """
    units, least, short = _units(total, parts, unit)
    if short:
        return short
    shares = {one.key: one.weight * Fraction(total, unit) for one in parts}
    held = {key for key, share in shares.items() if least[key] > share}
    free = {key: share for key, share in shares.items() if key not in held}
    wanted = sum(least[key] for key in held) + int(sum(free.values()))
    if wanted > units:
        return by_weight(total, parts, unit)
    given = {key: least[key] for key in held} | largest_remainder(int(sum(free.values())), free)
    return Given({one.key: given[one.key] * unit for one in parts}, frozenset(held))


def largest_remainder(units: int, weights: Mapping[int, Fraction]) -> dict[int, int]:
    """Whole numbers in proportion to the weights that sum to `units`; evenly where all weigh nothing.

    The units left over by rounding down go to the largest remainders, of equal ones to the first.
    """
    if not weights:
        return {}
    sum_of = sum(weights.values(), Fraction(0))
    exact = {key: units * (weight / sum_of if sum_of else Fraction(1, len(weights))) for key, weight in weights.items()}
    given = {key: int(share) for key, share in exact.items()}
    order = sorted(exact, key=lambda key: given[key] - exact[key])
    for key in order[: units - sum(given.values())]:
        given[key] += 1
    return given


def even(amount: int, count: int, unit: int = 1) -> list[int]:
    """`amount` in `count` nearly equal amounts, each but the first of whole units; they sum to it exactly."""
    parts = largest_remainder(amount // unit, {n: Fraction(1) for n in range(count)})
    return [parts[n] * unit + (amount % unit if n == 0 else 0) for n in range(count)]


def _units(total: int, parts: Sequence[Part], unit: int) -> tuple[int, dict[int, int], Given | None]:
    """The whole and each least in units, one at the very least; and what each gets where the leasts are too much."""
    units = total // unit
    if units < len(parts):
        raise TooSmall(f"{units} units cannot be shared among {len(parts)}")
    least = {one.key: max(1, -(-one.least // unit)) for one in parts}
    over = sum(least.values()) - units
    if over <= 0:
        return units, least, None
    more = largest_remainder(units - len(parts), {key: Fraction(value - 1) for key, value in least.items()})
    return units, least, Given({key: (1 + value) * unit for key, value in more.items()}, short=over * unit)


def _hold(units: int, parts: Iterable[Part], least: Mapping[int, int]) -> tuple[set[int], int]:
    """Those whose weight gives them less than their least, and what is left for the others.

    Holding one takes from the others, who may then have to be held too: hence again, until nobody is added.
    """
    free, held, rest = {one.key: one.weight for one in parts}, set[int](), units
    while free:
        sum_of = sum(free.values(), Fraction(0))
        poor = [
            key
            for key, weight in free.items()
            if rest * (weight / sum_of if sum_of else Fraction(1, len(free))) < least[key]
        ]
        if not poor:
            break
        for key in poor:
            del free[key]
            held.add(key)
        rest = units - sum(least[key] for key in held)
    return held, rest
