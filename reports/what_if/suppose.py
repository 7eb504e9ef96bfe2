"""What the calls of thirty days would cost under a supposition. Pure; exact but for one rounding for each group.

In this order: more or fewer calls; the withdrawn model's calls at the other; a share of what is then served by others;
prices. The tokens stay as they are. What another model costs is the proportion of the two prices as they are now, by
the length class of the input, applied to what the calls did cost.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from reports.savings.call import Prices
from reports.what_if.basis import Basis, Group
from reports.what_if.question import Named, Question
from usage.prices.cost import cost_of

DAYS = 30
TierOf = Callable[[str, str], int]


@dataclass(frozen=True, slots=True)
class Part:
    """Calls of a group that go the same way. `after` in nano-dollars, not rounded; `stays`: could not be moved."""

    group: Group
    provider: str
    model: str
    tier: int
    share: Fraction
    after: Fraction
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
    """A question put to a basis."""

    def __init__(self, basis: Basis, question: Question, prices: Prices, tier_of: TierOf, now: datetime) -> None:
        self._basis, self._question, self._prices, self._tier_of, self._now = basis, question, prices, tier_of, now
        self._memo: dict[tuple[Group, str, str], int | None] = {}
        self.parts: list[Part] = [part for group in basis.groups for part in self._parts(group)]

    def _parts(self, group: Group) -> Iterator[Part]:
        asked, factor = self._question, Fraction(1)
        if asked.volume_of in {None, group.workflow}:
            factor = asked.volume
        if group.workflow in asked.paused:
            factor = Fraction(0)
        served: list[tuple[Named, Fraction, bool]] = [((group.provider, group.model), Fraction(1), False)]
        if asked.withdrawn == (group.provider, group.model) and asked.instead:
            served = [self._moved(group, asked.instead)]
        if asked.move and asked.move_to:
            served = [
                part
                for named, share, stays in served
                for part in self._split(group, named, share, stays, asked.move_to)
            ]
        for named, share, stays in served:
            cost = self._cost(group, named) * share * factor
            if asked.price_of.has(*named):
                cost *= asked.price
            own = named == (group.provider, group.model)
            tier = group.tier if own else self._tier_of(*named)
            yield Part(group, *named, tier, share * factor, cost, stays)

    def _moved(self, group: Group, to: Named) -> tuple[Named, Fraction, bool]:
        if self._relative(group, to) is None:
            return (group.provider, group.model), Fraction(1), True
        return to, Fraction(1), False

    def _split(
        self, group: Group, named: Named, share: Fraction, stays: bool, to: Named
    ) -> Iterator[tuple[Named, Fraction, bool]]:
        """What of a part goes where."""
        asked = self._question
        if not asked.move_from.has(*named) or named == to:
            yield named, share, stays
        elif self._relative(group, to) is None:
            yield named, share, True
        else:
            yield to, share * asked.move, stays
            if asked.move < 1:
                yield named, share * (1 - asked.move), stays

    def _cost(self, group: Group, named: Named) -> Fraction:
        if named == (group.provider, group.model):
            return Fraction(group.cost)
        relative = self._relative(group, named)
        return Fraction(group.cost) if relative is None else relative

    def _relative(self, group: Group, named: Named) -> Fraction | None:
        """What the group costs by another model; None where that has no price for it, or other units were used."""
        if group.metered:
            return None
        other = self._priced(group, *named)
        if other is None:
            return None
        own = self._priced(group, group.provider, group.model)
        return Fraction(other) if not own else Fraction(group.cost * other, own)

    def _priced(self, group: Group, provider: str, model: str) -> int | None:
        key = (group, provider, model)
        if key not in self._memo:
            price = self._prices.find(provider, model, group.service_tier or "standard", self._now)
            parts = price and cost_of(
                price,
                group.input_tokens,
                group.cached_input_tokens,
                group.cache_write_tokens,
                group.output_tokens,
                None,
                group.reasoning_tokens,
                self._basis.length_of(group),
            )
            self._memo[key] = parts.total if parts else None
        return self._memo[key]

    def workflows(self) -> list[OfWorkflow]:
        """Each workflow, the dearest then first."""
        paused, found = self._question.paused, dict[str, list[Fraction]]()
        for group in self._basis.groups:
            sums = found.setdefault(group.workflow, [Fraction(0)] * 5)
            sums[0] += group.calls
            sums[1] += group.cost
            sums[4] += group.unknown
        for part in self.parts:
            found[part.group.workflow][2] += part.after
            found[part.group.workflow][3] += part.group.calls if part.stays else 0
        rows = [
            OfWorkflow(slug, int(calls), int(before), round(after), int(stays), slug in paused, int(unknown))
            for slug, (calls, before, after, stays, unknown) in found.items()
        ]
        return sorted(rows, key=lambda row: (-row.after, -row.before, row.slug))

    def covered(self, scope: Mapping[str, str]) -> tuple[int, int]:
        """What the calls that a budget's scope covers cost and would, nano-dollars in thirty days."""
        before = sum(group.cost for group in self._basis.groups if covers(scope, group, group.provider, group.model))
        parts = (part for part in self.parts if covers(scope, part.group, part.provider, part.model, part.tier))
        return before, round(sum((part.after for part in parts), Fraction(0)))


KNOWN = frozenset({"team", "workflow", "environment", "tier", "provider", "model"})


def covers(scope: Mapping[str, str], group: Group, provider: str, model: str, tier: int | None = None) -> bool:
    """Whether a scope of dimensions in KNOWN covers the group's calls, served by that model."""
    stated = {
        "team": group.team,
        "workflow": group.workflow,
        "environment": group.environment,
        "provider": provider,
        "model": model,
        "tier": str(group.tier if tier is None else tier),
    }
    return all(stated[name] == value for name, value in scope.items())


def narrowed(basis: Basis, seen: Iterable[str] | None) -> Basis:
    """Only the groups of these workflows; None: all."""
    if seen is None:
        return basis
    kept = set(seen)
    return Basis(basis.steps, [group for group in basis.groups if group.workflow in kept])
