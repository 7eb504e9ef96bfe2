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

from collections.abc import Mapping, Sequence
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
    top = bottom = 1
    changed: dict[str, tuple[int, int]] = {}
    for name, before, after in factors:
        (low, low_of), (high, high_of) = before.as_integer_ratio(), after.as_integer_ratio()
        if low == high and low_of == high_of:
            top, bottom = top * low, bottom * low_of
            continue
        known = changed.get(name, (1, 1))
        changed[name] = known[0] * low * high_of, known[1] * high * low_of
        bottom *= low_of * high_of
    for name, (low, high) in list(changed.items()):
        if low == high:  # those of one name made up for each other
            top *= low
            del changed[name]
    if not top or not changed:
        return {}
    size = len(changed)
    weights = [factorial(k) * factorial(size - 1 - k) for k in range(size)]
    bottom *= factorial(size)
    counted = [1]  # how the product comes out with so many of the factors changed: coefficients of Π (low + high·t)
    for low, high in changed.values():
        counted = [low * one + high * less for one, less in zip([*counted, 0], [0, *counted], strict=True)]
    found: dict[str, int] = {}
    for name, (low, high) in changed.items():
        average = sum(weight * one for weight, one in zip(weights, _without(counted, low, high), strict=True))
        part = nearest((high - low) * average * top * FINE, bottom)
        if part:
            found[name] = part
    return found


def _without(counted: Sequence[int], low: int, high: int) -> list[int]:
    """The coefficients without one of the factors: divided by (low + high·t), which leaves nothing over."""
    if not low:
        return [one // high for one in counted[1:]]
    found, last = [], 0
    for one in counted[:-1]:
        last = (one - high * last) // low
        found.append(last)
    return found


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
