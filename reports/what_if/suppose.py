"""What the calls of thirty days would cost under a supposition. Pure; exact but for one rounding for each group.

In this order: more or fewer calls; the withdrawn model's calls at the other; a share of what is then served by others;
prices. The tokens stay as they are. What another model costs is the proportion of the two prices as they are now, by
the length class of the input, applied to what the calls did cost.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from reports.savings.call import Prices, portion
from reports.what_if.basis import Basis, Group
from reports.what_if.question import Named, Question
from usage.prices.cost import cost_of

DAYS = 30
TierOf = Callable[[str, str], int]


class Part(msgspec.Struct, frozen=True, gc=False):
    """Calls of a group that go the same way, at `after` parts of a nano-dollar. `stays`: they could not be moved."""

    group: Group
    provider: str
    model: str
    tier: int
    after: int
    stays: bool = False


@dataclass(frozen=True, slots=True)
class OfWorkflow:
    """One workflow: what it cost and would, nano-dollars in thirty days, of calls with a known cost.

    `unknown` calls have none; `stays` are those that could not be moved as asked.
    """

    slug: str
    calls: int
    before: int
    after: int
    stays: int
    paused: bool
    unknown: int = 0

    @property
    def is_unknown(self) -> bool:
        """Whether the cost of none of its calls is known: never to be shown as nothing."""
        return self.unknown == self.calls > 0


class Supposition:
    """A question put to a basis. Inside, money is whole numbers of 1/`unit` nano-dollars, so that factors are exact."""

    def __init__(self, basis: Basis, question: Question, prices: Prices, tier_of: TierOf, now: datetime) -> None:
        self._basis, self._question, self._prices, self._tier_of, self._now = basis, question, prices, tier_of, now
        self._memo: dict[tuple[Group, Named], int | None] = {}
        self._tables: dict[tuple[str, ...], dict[tuple[str, ...], list[int]]] = {}
        self._unit = question.volume.denominator * question.move.denominator * question.price.denominator
        self.parts: list[Part] = [part for group in basis.groups for part in self._parts(group)]

    def _parts(self, group: Group) -> Iterator[Part]:
        asked, own = self._question, (group.provider, group.model)
        volume = asked.volume.denominator
        if asked.volume_of in {None, group.workflow}:
            volume = asked.volume.numerator
        if group.workflow in asked.paused:
            volume = 0
        for named, share, stays in self._served(group, own):
            relative = group.cost if named == own else self._relative(group, named)
            price = asked.price.numerator if asked.price_of.has(*named) else asked.price.denominator
            cost = (relative or 0) * share * volume * price
            yield Part(group, *named, group.tier if named == own else self._tier_of(*named), cost, stays)

    def _served(self, group: Group, own: Named) -> Iterator[tuple[Named, int, bool]]:
        """(model, how many of `move.denominator` parts of the group it serves, whether these could not be moved)."""
        asked, served, stays = self._question, own, False
        whole = asked.move.denominator
        if asked.withdrawn == own and asked.instead:
            stays = self._relative(group, asked.instead) is None
            served = own if stays else asked.instead
        to = asked.move_to
        if not asked.move or to is None or to == served or not asked.move_from.has(*served):
            yield served, whole, stays
        elif to != own and self._relative(group, to) is None:
            yield served, whole, True
        else:
            yield to, asked.move.numerator, False
            if asked.move < 1:
                yield served, whole - asked.move.numerator, stays

    def _relative(self, group: Group, named: Named) -> int | None:
        """What the group costs by another model; None where that has no price for it, or other units were used."""
        key = (group, named)
        if key not in self._memo:
            other = None if group.metered else self._priced(group, *named)
            own = None if other is None else self._priced(group, group.provider, group.model)
            self._memo[key] = other if not own or other is None else portion(group.cost, other, own)
        return self._memo[key]

    def _priced(self, group: Group, provider: str, model: str) -> int | None:
        price = self._prices.find(provider, model, group.service_tier or "standard", self._now)
        if price is None:
            return None
        parts = cost_of(
            price,
            group.input_tokens,
            group.cached_input_tokens,
            group.cache_write_tokens,
            group.output_tokens,
            None,
            group.reasoning_tokens,
            self._basis.length_of(group),
        )
        return None if parts is None else parts.total

    def workflows(self) -> list[OfWorkflow]:
        """Each workflow, the dearest then first."""
        paused, found = self._question.paused, dict[str, list[int]]()
        for group in self._basis.groups:
            sums = found.setdefault(group.workflow, [0] * 5)
            sums[0] += group.calls
            sums[1] += group.cost
            sums[4] += group.unknown
        for part in self.parts:
            found[part.group.workflow][2] += part.after
            found[part.group.workflow][3] += part.group.calls if part.stays else 0
        rows = [
            OfWorkflow(slug, calls, before, portion(after, 1, self._unit), stays, slug in paused, unknown)
            for slug, (calls, before, after, stays, unknown) in found.items()
        ]
        return sorted(rows, key=lambda row: (-row.after, -row.before, row.slug))

    def covered(self, scope: Mapping[str, str]) -> tuple[int, int]:
        """What the calls that a budget's scope covers cost and would, nano-dollars in thirty days.

        A scope of dimensions in KNOWN; budgets that name the same ones share one pass over the calls.
        """
        names = tuple(sorted(scope))
        table = self._tables.get(names)
        if table is None:
            table = self._tables[names] = {}
            for group in self._basis.groups:
                stated = values_of(names, group, group.provider, group.model, group.tier)
                table.setdefault(stated, [0, 0])[0] += group.cost
            for part in self.parts:
                stated = values_of(names, part.group, part.provider, part.model, part.tier)
                table.setdefault(stated, [0, 0])[1] += part.after
        before, after = table.get(tuple(scope[name] for name in names), (0, 0))
        return before, portion(after, 1, self._unit)


KNOWN = frozenset({"team", "workflow", "environment", "tier", "provider", "model"})


def values_of(names: Iterable[str], group: Group, provider: str, model: str, tier: int) -> tuple[str, ...]:
    """What the group's calls state for these dimensions of budgets, served by that model."""
    served = {"provider": provider, "model": model, "tier": str(tier)}
    return tuple(served[name] if name in served else getattr(group, name) for name in names)


def narrowed(basis: Basis, seen: Iterable[str] | None) -> Basis:
    """Only the groups of these workflows; None: all."""
    if seen is None:
        return basis
    kept = set(seen)
    return Basis(basis.steps, [group for group in basis.groups if group.workflow in kept])
