"""What differs between two policies, in sentences. Prices are not the policy's, so they are not compared. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from routing.policy.document import Policy, PolicyModel, PolicyTier, Rule
from routing.policy.words import (
    Names,
    counted,
    names_of,
    otherwise_in_words,
    rule_in_words,
    seconds,
    then_in_words,
    when_in_words,
)

Kind = Literal[
    "tier_added", "tier_removed", "tier_changed", "model_added", "model_removed", "model_moved", "model_changed",
    "models_reordered", "rule_added", "rule_removed", "rule_moved", "rule_changed", "otherwise_changed",
    "unlisted_changed", "daily_tokens_changed",
]  # fmt: skip
UNLISTED = {"allow": "go through as asked", "replace": "are moved to the default tier", "block": "are refused"}


@dataclass(frozen=True, slots=True)
class Difference:
    """`subject`: a tier's number, "provider/model", a rule's id, an environment, or ""; sides are JSON-ready."""

    kind: Kind
    subject: str
    sentence: str
    before: Any = None
    after: Any = None


def differences(
    old: Policy,
    new: Policy,
    workflows: Mapping[str, str] | None = None,
    teams: Mapping[str, str] | None = None,
) -> list[Difference]:
    """Tiers, models, rules in the new order, what is gone last of its kind; empty for equal policies.

    `workflows`, `teams`: what people call those that conditions name by short name.
    """
    called = names_of(old, workflows, teams), names_of(new, workflows, teams)
    return [
        *_tiers(old, new),
        *_models(old, new),
        *_orders(old, new),
        *_rules(old, new, *called),
        *_rest(old, new, *called),
    ]


def _tiers(old: Policy, new: Policy) -> Iterator[Difference]:
    was, now = {one.number: one for one in old.tiers}, {one.number: one for one in new.tiers}
    for number, tier in now.items():
        if number not in was:
            said = f"New tier {number}, {tier.name}{', which needs approval' if tier.needs_approval else ''}."
            yield Difference("tier_added", str(number), said, None, _plain(tier))
        else:
            yield from _tier(was[number], tier)
    for number, tier in was.items():
        if number not in now:
            yield Difference("tier_removed", str(number), f"Tier {number}, {tier.name}, is gone.", _plain(tier), None)


def _tier(old: PolicyTier, new: PolicyTier) -> Iterator[Difference]:
    subject = str(new.number)
    if old.name != new.name:
        yield Difference("tier_changed", subject, f"{old.name} is called {new.name}.", old.name, new.name)
    if old.needs_approval != new.needs_approval:
        said = f"{new.name} {'needs' if new.needs_approval else 'no longer needs'} approval."
        yield Difference("tier_changed", subject, said, old.needs_approval, new.needs_approval)
    if old.review_note != new.review_note:
        said = (
            f"The note for approvers of {new.name} changed." if new.review_note else f"{new.name} has no note any more."
        )
        yield Difference("tier_changed", subject, said, old.review_note, new.review_note)


def _homes(policy: Policy) -> dict[str, tuple[PolicyTier, PolicyModel]]:
    return {_name(one): (tier, one) for tier in policy.tiers for one in tier.models}


def _models(old: Policy, new: Policy) -> Iterator[Difference]:
    was, now = _homes(old), _homes(new)
    for name, (tier, model) in now.items():
        if name not in was:
            yield Difference("model_added", name, f"{name} is new in {tier.name}.", None, tier.number)
            continue
        before, earlier = was[name]
        if before.number != tier.number:
            said = f"{name} moved from {before.name} to {tier.name}."
            yield Difference("model_moved", name, said, before.number, tier.number)
        if (earlier.latency_ms, earlier.quality) != (model.latency_ms, model.quality):
            said = f"What is typed in for {name} changed: {_figures(earlier)}, now {_figures(model)}."
            yield Difference("model_changed", name, said, _plain(earlier), _plain(model))
    for name, (tier, _) in was.items():
        if name not in now:
            yield Difference("model_removed", name, f"{name} is no longer in {tier.name}.", tier.number, None)


def _orders(old: Policy, new: Policy) -> Iterator[Difference]:
    for tier in new.tiers:
        before_tier = next((one for one in old.tiers if one.number == tier.number), None)
        if before_tier is None:
            continue
        first, second = [_name(one) for one in before_tier.models], [_name(one) for one in tier.models]
        kept = set(first) & set(second)
        orders = [[name for name in names if name in kept] for names in (first, second)]
        if orders[0] != orders[1]:
            said = f"The order in {tier.name} is now {', '.join(second)}."
            yield Difference("models_reordered", str(tier.number), said, first, second)


def _rules(old: Policy, new: Policy, before: Names, after: Names) -> Iterator[Difference]:
    was, now = {one.id: one for one in old.rules}, {one.id: one for one in new.rules}
    earlier = {rule.id: n + 1 for n, rule in enumerate(old.rules)}
    places = {rule.id: n + 1 for n, rule in enumerate(new.rules)}
    moved = _moved([one for one in was if one in now], [one for one in now if one in was])
    for key, rule in now.items():
        if key not in was:
            said = f"New rule {places[key]}, “{rule.name}”: {rule_in_words(rule, after)}."
            yield Difference("rule_added", key, said, None, _plain(rule))
            continue
        if was[key] != rule:
            said = _changed(was[key], rule, before, after)
            yield Difference("rule_changed", key, said, _plain(was[key]), _plain(rule))
        if key in moved:
            said = f"“{rule.name}” is rule {places[key]} now; it was rule {earlier[key]}."
            yield Difference("rule_moved", key, said, earlier[key], places[key])
    for key, rule in was.items():
        if key not in now:
            said = f"Rule “{rule.name}” is gone: {rule_in_words(rule, before)}."
            yield Difference("rule_removed", key, said, _plain(rule), None)


def _moved(old: list[str], new: list[str]) -> set[str]:
    """The fewest that, taken out, leave the others in the same order."""
    place = {key: n for n, key in enumerate(old)}
    best: list[list[str]] = []  # best[n]: a longest run in order that ends with new[n]
    for n, key in enumerate(new):
        before = [best[m] for m in range(n) if place[new[m]] < place[key]]
        best.append([*_longest(before), key])
    return set(new) - set(_longest(best))


def _longest(runs: list[list[str]]) -> list[str]:
    return max(runs, key=len) if runs else []


def _changed(old: Rule, new: Rule, before: Names, after: Names) -> str:
    parts = [f"it is called “{new.name}” now"] if old.name != new.name else []
    if old.when != new.when:
        parts.append(f"it fits: {when_in_words(new.when, after)} (before: {when_in_words(old.when, before)})")
    if old.then != new.then:
        parts.append(f"it gives: {then_in_words(new.then, after)} (before: {then_in_words(old.then, before)})")
    return f"“{old.name}” changed: {'; '.join(parts)}."


def _rest(old: Policy, new: Policy, before: Names, after: Names) -> Iterator[Difference]:
    if old.otherwise != new.otherwise:
        said = otherwise_in_words(new.otherwise, after)
        said = f"{said} Before: {otherwise_in_words(old.otherwise, before)}"
        yield Difference("otherwise_changed", "", said, _plain(old.otherwise), _plain(new.otherwise))
    if old.unlisted_models != new.unlisted_models:
        said = f"Calls for models of no tier {UNLISTED[new.unlisted_models]}. Before: {UNLISTED[old.unlisted_models]}."
        yield Difference("unlisted_changed", "", said, old.unlisted_models, new.unlisted_models)
    for name in {**old.daily_tokens, **new.daily_tokens}:
        was, now = old.daily_tokens.get(name), new.daily_tokens.get(name)
        if was != now:
            where = "in every environment but production" if name == "*" else f"in {name}"
            said = (
                f"Each workflow may use {counted(now)} a day {where}" if now is not None else f"No daily limit {where}"
            )
            said = f"{said}; {'there was no limit' if was is None else f'it was {counted(was)}'}."
            yield Difference("daily_tokens_changed", name, said, was, now)


def _figures(model: PolicyModel) -> str:
    parts = [seconds(model.latency_ms)] if model.latency_ms is not None else []
    parts += [f"quality {model.quality}"] if model.quality is not None else []
    return " and ".join(parts) or "nothing"


def _name(model: PolicyModel) -> str:
    return f"{model.provider}/{model.model}"


def _plain(value: msgspec.Struct) -> Mapping[str, Any]:
    built: Mapping[str, Any] = msgspec.to_builtins(value)
    return built
