"""Split the difference between two stretches of time into what the factors did. Pure.

The cost of alike calls is a product, the same for each kind of token:

    runs x channels per run x first calls per channel x (retries and failures) x (answered by a cache or not)
    x share of the model x of the service tier x of the prompt version x share with a known cost
    x input per call x share of the kind in it x price x (long inputs and hours)

with output per call in place of the input and its share for output, and extras per call for units beside tokens. All
the products together are the cost; each is split by its Shapley value (`reports.why.shapley`).

What one side does not know is taken as on the other, so that it did nothing: a new model brings its service tier, a new
kind of work its calls. Three are known better than that. The price of a model that other calls used on that side is
theirs. Input and output per call of a model that is new (or gone) are taken to have changed as those of the other
models in the same place did, or, where all models changed, as their average did: so a longer input is told from the
change of the model that came with it. A prompt version that is new brings its own lengths: that is what it did.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from fractions import Fraction

from reports.why.cells import KINDS, LAYERS, OUTPUT, Number, Usage
from reports.why.shapley import FINE, Factor, in_whole, nearest, split_product
from reports.why.sides import Place, Side, What

ROUNDING = "rounding"
Value = Fraction | None
ONE = Fraction(1)
# What a part is about, of the place that it comes from.
ABOUT: Mapping[str, Callable[[Place], str]] = {
    "model": lambda place: place.priced_as[0][1],
    "price": lambda place: place.priced_as[0][1],
    "terms": lambda place: place.priced_as[0][1],
    "service_tier": lambda place: place.priced_as[1],
    "prompt_version": lambda place: str(place.prompt_version[-1]),
}


@dataclass(frozen=True)
class Split:
    """Parts by key, which sum to `difference` exactly; those of nothing are left out.

    `by_workflow` says about where: nano-dollars by part and workflow, each rounded for itself. `touched` are the
    models, service tiers or prompt versions that the parts of these are about.
    """

    difference: int
    parts: Mapping[str, int]
    by_workflow: Mapping[str, Mapping[int, int]]
    touched: Mapping[str, Set[str]] = field(default_factory=dict)


def split(before: Usage, after: Usage) -> Split:
    """The difference of the two totals, `after` less `before`."""
    sides = Side(before), Side(after)
    fine: dict[str, int] = defaultdict(int)
    where: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    touched: dict[str, set[str]] = defaultdict(set)
    for place in sorted(sides[0].leaves.keys() | sides[1].leaves.keys(), key=str):
        for name, part in _of_leaf(place, *sides).items():
            fine[name] += part
            where[name][place.workflow] += part
            if part and name in ABOUT:
                touched[name].add(ABOUT[name](place))
    apart = {
        name: after.apart.get(name, 0) - before.apart.get(name, 0) for name in before.apart.keys() | after.apart.keys()
    }
    difference = after.total - before.total
    parts = in_whole(fine, difference - sum(apart.values()), ROUNDING)
    for name, part in apart.items():
        if part:
            parts[name] = parts.get(name, 0) + part
    told = {name: {one: nearest(part, FINE) for one, part in found.items()} for name, found in where.items()}
    return Split(difference, {name: part for name, part in parts.items() if part}, told, dict(touched))


def _of_leaf(place: Place, before: Side, after: Side) -> dict[str, int]:
    """The parts of the calls at one place, in 1/FINE nano-dollars."""
    sides = before, after
    shared = [_factor(name, value, sides) for name, value in _steps(place, sides)]
    leaves = before.leaves.get(place), after.leaves.get(place)
    context, layers = _input(place, sides)
    found: dict[str, int] = defaultdict(int)
    for kind in range(len(KINDS)):
        if not any(leaf and leaf.tokens[kind] for leaf in leaves):
            continue
        if kind == OUTPUT:
            length = [_output(place, sides)]
        else:
            length = [context, _both("cache", *(one.part_of_input(place, kind) for one in sides))]
        end = [_price(kind, place, sides), _both("terms", *(one.terms(place, kind) for one in sides))]
        _gather(found, shared + length + end, layers if kind != OUTPUT else {})
    if any(leaf and leaf.extras for leaf in leaves):
        _gather(found, [*shared, _both("extras", *(one.extras(place) for one in sides))], {})
    return found


def _steps(place: Place, sides: tuple[Side, Side]) -> list[tuple[str, Callable[[Side], Value]]]:
    """The factors that say how many calls there are at a place, the widest first."""
    workflow, work = place.workflow, place.work
    lasting = all(workflow in side.workflows for side in sides)
    found: list[tuple[str, Callable[[Side], Value]]]
    if place.in_run:
        found = [
            ("runs" if lasting else "workflows", lambda side: Fraction(side.runs_of(workflow).runs)),
            ("channels", lambda side: _ratio(side.runs_of(workflow).channels, side.runs_of(workflow).runs)),
            ("steps", lambda side: _ratio(side.first_of(work), side.runs_of(workflow).channels)),
        ]
    else:
        found = [("calls" if lasting else "workflows", lambda side: Fraction(side.first_of(work)))]
    return [
        *found,
        ("retries", lambda side: _ratio(side.calls.get(place.attempt, 0), side.first_of(work))),
        ("cache", lambda side: side.share(place.served, place.attempt)),
        ("model", lambda side: side.share(place.model, place.served)),
        ("service_tier", lambda side: side.share(place.service_tier, place.model)),
        ("prompt_version", lambda side: side.share(place.prompt_version, place.service_tier)),
        ("unknown", lambda side: side.known(place)),
    ]


def _ratio(top: Number, bottom: Number) -> Value:
    return Fraction(top, bottom) if bottom else None


def _factor(name: str, value: Callable[[Side], Value], sides: tuple[Side, Side]) -> Factor:
    return _both(name, value(sides[0]), value(sides[1]))


def _both(name: str, before: Value, after: Value) -> Factor:
    """What is not known on one side is as on the other; where it is known on neither it is one."""
    low = before if before is not None else after if after is not None else ONE
    return Factor(name, low, low if after is None else after)


def _price(kind: int, place: Place, sides: tuple[Side, Side]) -> Factor:
    rates: list[Value] = []
    for side in sides:
        leaf = side.leaves.get(place)
        own = leaf.rate(kind) if leaf else None
        rates.append(side.market(place)[kind] if own is None else own)
    return _both("price", *rates)


def _output(place: Place, sides: tuple[Side, Side]) -> Factor:
    return _both("output", *_size(place, sides, "output"))


def _input(place: Place, sides: tuple[Side, Side]) -> tuple[Factor, dict[str, Fraction]]:
    """Input per call before and after; and by how much each layer grew, empty where not all calls state theirs."""
    served = place.served
    if not all(side.are_laid(served) for side in sides) or not any(side.branches.get(served) for side in sides):
        return _both("context", *_size(place, sides, "input")), {}
    whole = [side.per_call(place, "input") for side in sides]
    layers = [_both(name, *_size(place, sides, i)) for i, name in enumerate(LAYERS)]
    stated = [sum((one.before for one in layers), Fraction(0)), sum((one.after for one in layers), Fraction(0))]
    # What no layer states is as on the other side where this one is not there.
    rest = _both("", *(size - known if size is not None else None for size, known in zip(whole, stated, strict=True)))
    grown = {f"context.{one.name}": one.after - one.before for one in layers}
    context = Factor("context", stated[0] + rest.before, stated[1] + rest.after)
    return context, grown | {"context": rest.after - rest.before}


def _size(place: Place, sides: tuple[Side, Side], what: What) -> tuple[Value, Value]:
    """Tokens per call before and after; see the module on what one side does not know."""
    before, after = (side.per_call(place, what) for side in sides)
    if before is None and after is not None:
        return after * _followed(place, sides, what, missing=0), after
    if after is None and before is not None:
        return before, before * _followed(place, sides, what, missing=1)
    return before, after


def _followed(place: Place, sides: tuple[Side, Side], what: What, missing: int) -> Fraction:
    """How the other models of the branch stand on the side where this one is missing, to the side where it is."""
    side, other = sides[missing], sides[1 - missing]
    if side.calls.get(place.service_tier) or not side.calls.get(place.served):
        return ONE
    there = there_not = Fraction(0)
    alike = False
    for one in side.branches[place.served]:
        mine, its = side.per_call(one, what), other.per_call(one, what)
        if mine is None or its is None:
            continue
        alike = True
        weight = sum((each.share(one.prompt_version, place.served) or Fraction(0) for each in sides), Fraction(0))
        there_not, there = there_not + weight * mine, there + weight * its
    if not alike:
        there_not, there = (one.average(place.served, what) or Fraction(0) for one in (side, other))
    return there_not / there if there else ONE


def _gather(found: dict[str, int], factors: list[Factor], layers: Mapping[str, Fraction]) -> None:
    """Add the parts of a product; of its input, by layers where they are known.

    A product with one layer in place of the input is linear in it. So the layer's part is its own growth times what a
    token of input more is worth: the part of a factor that goes from nothing to one in the place of the input.
    """
    for name, part in split_product(factors).items():
        if not (layers and name == "context"):
            found[name] += part
    if any(layers.values()):
        worth = [Factor(one.name, Fraction(0), ONE) if one.name == "context" else one for one in factors]
        each = split_product(worth).get("context", 0)
        for name, grown in layers.items():
            found[name] += nearest(each * grown.numerator, grown.denominator)
