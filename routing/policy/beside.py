"""Two policies side by side: each tier, rule and default with what stands in either. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from routing.policy.compare import differences
from routing.policy.document import Policy, PolicyModel, PolicyTier, Rule
from routing.policy.words import (
    UNLISTED_WORDS,
    Names,
    daily_in_words,
    otherwise_in_words,
    plain,
    rule_in_words,
    seconds,
)

State = Literal["same", "changed", "new", "gone", "moved"]
STATES: Mapping[State, str] = {
    "same": "The same", "changed": "Changed", "new": "New", "gone": "Gone", "moved": "Moved",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One thing in both. Lines of text; none where it is not there."""

    label: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    state: State

    @property
    def words(self) -> str:
        return STATES[self.state]


@dataclass(frozen=True, slots=True)
class Part:
    """Tiers, rules, or the rest."""

    title: str
    rows: list[Row]

    @property
    def differing(self) -> list[Row]:
        return [row for row in self.rows if row.state != "same"]

    @property
    def same(self) -> list[Row]:
        return [row for row in self.rows if row.state == "same"]


def beside(old: Policy, new: Policy, names: Names) -> list[Part]:
    """`names` of workflows and teams; tiers are called as the policy in which they stand calls them."""
    moved = {one.subject for one in differences(old, new) if one.kind == "rule_moved"}
    was, now = (replace(names, tiers={one.number: one.name for one in side.tiers}) for side in (old, new))
    return [
        Part("Tiers", list(_tiers(old.tiers, new.tiers))),
        Part("Rules, in the order in which they are tried", list(_rules(old.rules, new.rules, was, now, moved))),
        Part("Everything else", list(_rest(old, new, was, now))),
    ]


def _row(label: str, before: Sequence[str], after: Sequence[str], differing: State = "changed") -> Row:
    state: State = "new" if not before else "gone" if not after else differing
    return Row(label, tuple(before), tuple(after), "same" if tuple(before) == tuple(after) else state)


def _tiers(old: Iterable[PolicyTier], new: Iterable[PolicyTier]) -> Iterator[Row]:
    was, now = {one.number: one for one in old}, {one.number: one for one in new}
    for number in sorted({*was, *now}):
        tier = now.get(number) or was[number]
        before, after = (_tier(side[number]) if number in side else () for side in (was, now))
        yield _row(f"{number}. {tier.name}", before, after)


def _tier(tier: PolicyTier) -> tuple[str, ...]:
    notes = [f"Note for approvers: {tier.review_note}"] if tier.review_note else []
    approval = "Needs approval" if tier.needs_approval else "Needs no approval"
    return (tier.name, approval, *notes, *(_model(one) for one in tier.models))


def _model(model: PolicyModel) -> str:
    typed = [seconds(model.latency_ms)] if model.latency_ms else []
    typed += [f"quality {plain(model.quality)}"] if model.quality is not None else []
    return " · ".join([f"{model.provider}/{model.model}", *typed])


def _rules(old: Sequence[Rule], new: Sequence[Rule], was: Names, now: Names, moved: Set[str]) -> Iterator[Row]:
    before = {rule.id: (place, rule) for place, rule in enumerate(old, start=1)}
    for place, rule in enumerate(new, start=1):
        then, earlier = before.get(rule.id, (0, None))
        places = [(f"Rule {n}",) if rule.id in moved else () for n in (then, place)]
        yield _row(
            f"{place}. {rule.name}",
            (*places[0], earlier.name, rule_in_words(earlier, was)) if earlier else (),
            (*places[1], rule.name, rule_in_words(rule, now)),
            "moved" if rule == earlier else "changed",
        )
    kept = {rule.id for rule in new}
    for rule in old:
        if rule.id not in kept:
            yield _row(rule.name, (rule.name, rule_in_words(rule, was)), ())


def _rest(old: Policy, new: Policy, was: Names, now: Names) -> Iterator[Row]:
    yield _row(
        "What no rule fits", (otherwise_in_words(old.otherwise, was),), (otherwise_in_words(new.otherwise, now),)
    )
    yield _row("Models of no tier", (UNLISTED_WORDS[old.unlisted_models],), (UNLISTED_WORDS[new.unlisted_models],))
    for environment in sorted({*old.daily_tokens, *new.daily_tokens}):
        sides = [
            (daily_in_words(environment, side.daily_tokens[environment]),) if environment in side.daily_tokens else ()
            for side in (old, new)
        ]
        label = "every environment but production" if environment == "*" else environment
        yield _row(f"A day in {label}", sides[0], sides[1])
