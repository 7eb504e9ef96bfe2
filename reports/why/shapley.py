"""The Shapley value of a change that is a product of factors. Pure, in whole numbers.

A cost is a sum of products (runs x steps per run x ... x price). What one factor did to a product that went from
a1·a2·…·an to b1·b2·…·bn depends on which factors changed before it; its Shapley value is the average over all n! orders
of changing them one after the other:

    φi = (bi − ai) · Σk  k! (n−1−k)! / n! · e(i, k)

where e(i, k) sums, over all choices of k of the other factors, the product of those at `b` and of the rest at `a`. So
the parts sum to the whole change, no order of the factors matters, a factor that did not change gets exactly nothing,
exchanging before and after turns every sign, and factors of zero need no special care. Parts of a sum of products are
the sums of the products' parts (additivity).

Shapley, L. S. (1953): A value for n-person games. Shorrocks, A. F. (2013): Decomposition procedures for distributional
analysis: a unified framework based on the Shapley value, Journal of Economic Inequality 11, 99–126. For products it is
the complete decomposition of Sun, J. W. (1998), Energy Economics 20, 85–100.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import factorial
from typing import Final, NamedTuple

FINE: Final = 10**12  # parts of a nano-dollar that sums are kept in


class Factor(NamedTuple):
    """What it is called, and its value before and after."""

    name: str
    before: Fraction
    after: Fraction


def split_product(factors: Sequence[Factor]) -> dict[str, int]:
    """Name → its part of the change of the product, in 1/FINE, rounded half to even; those without a part left out.

    Factors of one name are one factor: they change together.
    """
    constant, changed = Fraction(1), []
    for name, before, after in together(factors):
        if before == after:
            constant *= before
        else:
            changed.append((name, before, after))
    if not constant or not changed:
        return {}
    size = len(changed)
    bottom = factorial(size) * constant.denominator
    pairs = []
    for _, before, after in changed:
        shared = before.denominator * after.denominator
        pairs.append((before.numerator * after.denominator, after.numerator * before.denominator))
        bottom *= shared
    weights = [factorial(k) * factorial(size - 1 - k) for k in range(size)]
    found: dict[str, int] = {}
    for i, (name, _, _) in enumerate(changed):
        counted = [1]
        for j, (low, high) in enumerate(pairs):
            if j != i:
                counted = [
                    low * (counted[k] if k < len(counted) else 0) + high * (counted[k - 1] if k else 0)
                    for k in range(len(counted) + 1)
                ]
        average = sum(weight * one for weight, one in zip(weights, counted, strict=True))
        part = nearest((pairs[i][1] - pairs[i][0]) * average * constant.numerator * FINE, bottom)
        if part:
            found[name] = part
    return found


def together(factors: Iterable[Factor]) -> list[Factor]:
    """One factor for each name, in the order of first mention: those of one name multiplied."""
    made: dict[str, Factor] = {}
    for one in factors:
        known = made.get(one.name)
        made[one.name] = one if known is None else Factor(one.name, known.before * one.before, known.after * one.after)
    return list(made.values())


def nearest(top: int, bottom: int) -> int:
    """`top` / `bottom` as the nearest whole number, half to even; the same but for the sign where the sign turns."""
    whole, rest = divmod(abs(top), bottom)
    if rest * 2 > bottom or (rest * 2 == bottom and whole & 1):
        whole += 1
    return whole if top >= 0 else -whole


def in_whole(parts: Mapping[str, int], difference: int, otherwise: str) -> dict[str, int]:
    """Parts in 1/FINE as whole numbers that sum to `difference` exactly.

    Each is rounded, half to even; what is then missing goes to the largest part, and to `otherwise` where there is
    none, so that a part of nothing stays nothing.
    """
    made = {name: nearest(part, FINE) for name, part in parts.items()}
    missing = difference - sum(made.values())
    if missing:
        largest = max(parts, key=lambda name: (abs(parts[name]), name), default="")
        name = largest if largest and parts[largest] else otherwise
        made[name] = made.get(name, 0) + missing
    return {name: part for name, part in made.items() if part}
