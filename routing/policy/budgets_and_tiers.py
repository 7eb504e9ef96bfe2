"""What budgets and a policy do to each other: tiers that budgets send calls to, and budgets that are used up. Pure.

**What a circle can be here.** A budget that is used up sends its calls to a lower tier, and the decision follows it
only downwards, so no call goes round for ever. But a budget may be of one tier's calls alone. Then budgets can point at
each other: one sends Premium calls to Economy, another Economy calls to Premium; or one sends a tier's calls to that
tier itself. The one that points up, or to where the calls are, does nothing, though somebody set it up to hold a limit.
The same is true of one that names the highest tier there is: no call is served by a better one.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from routing.policy.document import Policy

if TYPE_CHECKING:
    from routing.policy.validate import Known, KnownBudget

Level = Literal["problem", "warning"]
Finding = tuple[Level, str, str]  # level, short name of the budget, sentence
DOES = {
    "throttle": "are slowed down",
    "summarize": "are asked to be made shorter",
    "human_review": "wait for a person's look",
    "require_approval": "need an approval",
    "block": "are refused",
}


def findings(policy: Policy, known: "Known") -> Iterator[Finding]:
    """What is to be said, by budget."""
    names = {tier.number: tier.name for tier in policy.tiers}
    asking = {tier.number for tier in policy.tiers if tier.needs_approval}
    lowering = [one for one in known.budgets if one.on_exhausted == "downgrade" and one.to_tier is not None]
    for budget in lowering:
        assert budget.to_tier is not None
        if budget.to_tier not in names:
            yield _missing(budget, known)
        elif budget.to_tier in asking:
            said = (
                f"“{budget.name}” moves calls to {names[budget.to_tier]} once it is used up, and that needs approval."
            )
            yield "warning", budget.slug, said
    yield from _circles(policy, [one for one in lowering if one.to_tier in names], names)
    for budget in known.budgets:
        if budget.is_exhausted:
            yield from _used_up(budget, names)


def _missing(budget: "KnownBudget", known: "Known") -> Finding:
    """A tier that this policy takes away is a problem; one that was never there is the budget's own fault."""
    name = known.live_tiers.get(budget.to_tier or 0)
    said = f"“{budget.name}” moves calls to {name or f'tier {budget.to_tier}'} once it is used up,"
    if name:
        return "problem", budget.slug, f"{said} and this policy has no such tier. Change the budget first."
    return "warning", budget.slug, f"{said} which there is not, so it stops nothing. Change the budget."


def _circles(policy: Policy, lowering: "Sequence[KnownBudget]", names: dict[int, str]) -> Iterator[Finding]:
    highest = _highest(policy)
    for budget in lowering:
        to = budget.to_tier or 0
        start = _tier_of(budget)
        if start is None:
            if to >= highest:
                said = f"“{budget.name}” moves calls to {names[to]} once it is used up, and none is served by a better"
                yield "warning", budget.slug, f"{said} tier, so it stops nothing."
        elif to == start:
            said = f"“{budget.name}” is of {names[to]} calls and moves them to {names[to]}, so it stops nothing."
            yield "warning", budget.slug, said
        elif to > start:
            back = next((one for one in lowering if _tier_of(one) == to and (one.to_tier or 0) <= start), None)
            said = f"“{budget.name}” would move calls up to {names[to]} once it is used up, so it stops nothing."
            if back is not None:
                said = (
                    f"“{budget.name}” and “{back.name}” send calls round in a circle: one up to {names[to]}, the other"
                    f" down to {names[back.to_tier or 0]}. Nothing is ever moved up, so “{budget.name}” stops nothing."
                )
            yield "warning", budget.slug, said


def _tier_of(budget: "KnownBudget") -> int | None:
    """The one tier whose calls it covers; None: any."""
    stated = budget.scope.get("tier", "")
    return int(stated) if stated.isdecimal() else None


def _highest(policy: Policy) -> int:
    """The best tier that any call can get: somebody may always be granted the highest there is."""
    return max((tier.number for tier in policy.tiers), default=0)


def _used_up(budget: "KnownBudget", names: dict[int, str]) -> Iterator[Finding]:
    if budget.on_exhausted == "alert":
        return
    if budget.on_exhausted == "downgrade":
        name = names.get(budget.to_tier or 0)
        if name is None:
            return  # said above
        does = f"are served by {name} at best"
    else:
        does = DOES.get(budget.on_exhausted, "are held back")
    until = f" until {budget.until}" if budget.until else ""
    said = f"“{budget.name}” is used up: whatever the rules say, calls under it {does}{until}."
    yield "warning", budget.slug, said
