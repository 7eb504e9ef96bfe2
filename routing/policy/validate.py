"""What is wrong, or odd, about a policy in this company as it is now, in sentences. Pure.

A problem refuses publishing; a warning tells of what may be meant. What cannot even be saved is found before, by
`routing.policy.shape`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from routing.policy import budgets_and_tiers
from routing.policy.covering import covers, is_empty
from routing.policy.document import SPANS, Outcome, Policy, PolicyTier, Rule

SPAN_WORDS = {
    "business_value": "value weight",
    "complexity": "difficulty",
    "input_tokens": "length of the input",
    "estimated_cost_nano": "estimated cost",
}
NAMED = 3  # workflows in one sentence

Model = tuple[str, str]  # (provider, model)


@dataclass(frozen=True, slots=True)
class Remark:
    """`where` is the path in the document ("rules.2.then.tier"), "budgets.<short name>", or "" for the whole."""

    level: Literal["problem", "warning"]
    where: str
    sentence: str

    @property
    def is_problem(self) -> bool:
        return self.level == "problem"


@dataclass(frozen=True, slots=True)
class KnownWorkflow:
    """`counts_under`: the name of the workflow that it was merged into; "" for none."""

    name: str
    default_tier: int | None = None
    counts_under: str = ""


@dataclass(frozen=True, slots=True)
class KnownBudget:
    """An active budget. `to_tier`: where it sends calls once used up; `until`: the day it starts anew, in words."""

    slug: str
    name: str
    scope: Mapping[str, str]
    on_exhausted: str
    to_tier: int | None = None
    is_exhausted: bool = False
    until: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is besides the policy. Workflows, teams by short name.

    `canonical`: a model's name in the price book's words. `priced`: models that have a price now; `listed`: those that
    have any entry. Both hold names as the policy has them. `live_tiers`: those in force.
    """

    workflows: Mapping[str, KnownWorkflow] = field(default_factory=dict)
    teams: frozenset[str] = frozenset()
    canonical: Mapping[Model, Model] = field(default_factory=dict)
    priced: frozenset[Model] = frozenset()
    listed: frozenset[Model] = frozenset()
    budgets: tuple[KnownBudget, ...] = ()
    live_tiers: Mapping[int, str] = field(default_factory=dict)


def remarks(policy: Policy, known: Known) -> list[Remark]:
    """All there is to say, problems first, each in the document's order."""
    found = [
        *_tiers(policy, known),
        *_rules(policy, known),
        *_outcome("otherwise", "What no rule fits", policy.otherwise, policy),
        *_defaults(policy, known),
        *_budgets(policy, known),
    ]
    return sorted(found, key=lambda one: not one.is_problem)


def problems(found: Iterable[Remark]) -> dict[str, str]:
    """Path → sentence of what refuses publishing; several at one path in one text."""
    told: dict[str, str] = {}
    for one in found:
        if one.is_problem:
            told[one.where] = f"{told[one.where]} {one.sentence}" if one.where in told else one.sentence
    return told


def _tiers(policy: Policy, known: Known) -> Iterator[Remark]:
    if not policy.tiers:
        yield Remark("problem", "tiers", "There is no tier. Add at least one, with a model.")
    seen: dict[Model, PolicyTier] = {}
    for n, tier in enumerate(policy.tiers):
        if not tier.models:
            yield Remark("problem", f"tiers.{n}.models", f"{tier.name} has no model. Add one, or take the tier out.")
        for m, entry in enumerate(tier.models):
            named, where = (entry.provider, entry.model), f"tiers.{n}.models.{m}"
            shown = f"{entry.provider}/{entry.model}"
            real = known.canonical.get(named, named)
            if (other := seen.setdefault(real, tier)) is not tier:
                yield Remark(
                    "problem", where, f"{shown} is in {other.name} and in {tier.name}. A model belongs to one tier."
                )
            elif real in [known.canonical.get((e.provider, e.model), (e.provider, e.model)) for e in tier.models[:m]]:
                yield Remark("problem", where, f"{shown} is in {tier.name} twice.")
            if named not in known.listed:
                yield Remark(
                    "warning",
                    where,
                    f"{shown} is in no price book, so what it costs is not counted. Check its name, or add a price.",
                )
            elif named not in known.priced:
                yield Remark(
                    "warning", where, f"{shown} has no price now, so what it costs is not counted. Add a price."
                )


def _rules(policy: Policy, known: Known) -> Iterator[Remark]:
    for n, rule in enumerate(policy.rules):
        for name in SPANS:
            span = getattr(rule.when, name)
            if span is not None and is_empty(span):
                said = f"“{rule.name}” can never apply: no {SPAN_WORDS[name]} is at least {span.at_least} and below"
                yield Remark("problem", f"rules.{n}.when.{name}", f"{said} {span.below}.")
        yield from _names(n, rule, known)
        earlier = next((one for one in policy.rules[:n] if covers(one.when, rule.when)), None)
        if earlier is not None:
            yield Remark(
                "warning",
                f"rules.{n}",
                f"“{rule.name}” is never reached: “{earlier.name}” stands before it and takes every call that it would."
                " Move it up, or take it out.",
            )
        yield from _outcome(f"rules.{n}.then", f"“{rule.name}”", rule.then, policy)


def _names(n: int, rule: Rule, known: Known) -> Iterator[Remark]:
    for m, slug in enumerate(rule.when.workflow):
        where, workflow = f"rules.{n}.when.workflow.{m}", known.workflows.get(slug)
        if workflow is None:
            yield Remark("warning", where, f"“{rule.name}” names the workflow “{slug}”, which there is not.")
        elif workflow.counts_under:
            yield Remark(
                "warning",
                where,
                f"“{rule.name}” names the workflow “{slug}”, which counts as “{workflow.counts_under}” since they were"
                " merged. Name that one.",
            )
    for m, slug in enumerate(rule.when.team):
        if slug not in known.teams:
            said = f"“{rule.name}” names the team “{slug}”, which there is not."
            yield Remark("warning", f"rules.{n}.when.team.{m}", said)


def _outcome(where: str, who: str, then: Outcome, policy: Policy) -> Iterator[Remark]:
    tiers = {tier.number: tier for tier in policy.tiers}
    if then.tier is not None and then.tier not in tiers:
        yield Remark("problem", f"{where}.tier", f"{who} gives tier {then.tier}, which there is not.")
        return
    if then.model is None:
        return
    shown = f"{then.provider}/{then.model}"
    homes = [
        tier
        for tier in policy.tiers
        if (then.provider, then.model) in [(one.provider, one.model) for one in tier.models]
    ]
    if not homes:
        yield Remark("problem", f"{where}.model", f"{who} gives {shown}, which is in no tier. Add it to one first.")
    elif then.tier is not None and tiers[then.tier] not in homes:
        said = f"{who} gives {shown}, which is in {homes[0].name} and not in {tiers[then.tier].name}."
        yield Remark("problem", f"{where}.model", said)


def _defaults(policy: Policy, known: Known) -> Iterator[Remark]:
    """Tiers that workflows start from must be there, and should not ask for an approval each time."""
    tiers = {tier.number: tier for tier in policy.tiers}
    by_tier: dict[int, list[str]] = {}
    for workflow in known.workflows.values():
        if workflow.default_tier is not None and not workflow.counts_under:
            by_tier.setdefault(workflow.default_tier, []).append(workflow.name)
    for number, names in sorted(by_tier.items()):
        if number not in tiers:
            gone = known.live_tiers.get(number, f"Tier {number}")
            yield Remark(
                "problem",
                "tiers",
                f"{gone} cannot go: it is what {_some(names)} {'starts' if len(names) == 1 else 'start'} from. Give"
                f" {'that workflow' if len(names) == 1 else 'those workflows'} another tier first.",
            )
        elif tiers[number].needs_approval:
            yield Remark(
                "warning",
                "tiers",
                f"{tiers[number].name} needs approval, and {_some(names)} {'starts' if len(names) == 1 else 'start'}"
                " from it: without an allowance no call gets through unless a rule gives another tier.",
            )
    start = policy.otherwise.tier if policy.otherwise.tier is not None else min(tiers, default=0)
    if start in tiers and tiers[start].needs_approval:
        yield Remark(
            "warning",
            "otherwise.tier" if policy.otherwise.tier is not None else "tiers",
            f"Calls that no rule fits, of workflows without a tier of their own, are served by {tiers[start].name}, and"
            " that needs approval: without an allowance none of them gets through.",
        )


def _budgets(policy: Policy, known: Known) -> Iterator[Remark]:
    for level, slug, sentence in budgets_and_tiers.findings(policy, known):
        yield Remark(level, f"budgets.{slug}", sentence)


def _some(names: list[str]) -> str:
    """ "SEO briefs and Translation", "SEO briefs, Translation and 4 more"."""
    shown = names[:NAMED]
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
