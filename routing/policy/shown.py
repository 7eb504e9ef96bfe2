"""A policy as its pages show it: tiers with what their models cost and do, rules as sentences, the default."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count

from budgets.models import Team, Workflow
from budgets.organisation.configuration import current_generation
from routing.bundle.policy_part import told_latency, told_quality
from routing.models import ModelMeasure
from routing.policy.document import Policy, PolicyModel, PolicyTier, Rule
from routing.policy.listing import Remarks
from routing.policy.validate import Remark
from routing.policy.words import (
    UNLISTED_WORDS,
    Names,
    daily_in_words,
    names_of,
    otherwise_in_words,
    plain,
    rule_in_words,
    seconds,
    then_in_words,
    when_in_words,
)
from usage.models import PriceEntry
from usage.prices import book
from usage.prices.book import STANDARD
from usage.prices.pages.words import dollars, extras

Named = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model beside the policy. Prices are dollars a million tokens as text, "" where none is known.

    `latency` and `quality` as measured, "" where too little is.
    """

    input: str = ""
    output: str = ""
    exact_input: str = ""
    exact_output: str = ""
    extras: tuple[str, ...] = ()
    latency: str = ""
    latency_of: str = ""
    latency_ms: int | None = None
    quality: str = ""
    quality_of: str = ""

    @property
    def is_priced(self) -> bool:
        return bool(self.input or self.output)


NOTHING_KNOWN = ModelFacts()


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A model of a tier, with what it costs and does: typed in, else measured."""

    place: int
    provider: str
    model: str
    facts: ModelFacts
    latency: str
    latency_of: str
    quality: str
    quality_of: str

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class ShownTier:
    """A tier with its models, the preferred one first."""

    tier: PolicyTier
    models: list[ShownModel]
    workflows: int  # that have it as their own
    remarks: Sequence[Remark] = ()


@dataclass(frozen=True, slots=True)
class ShownRule:
    """A rule as a sentence. `calls`: how many it fitted on past calls, None where that is not known."""

    place: int
    rule: Rule
    sentence: str
    when: str
    then: str
    calls: int | None = None
    remarks: Sequence[Remark] = ()


@dataclass(frozen=True, slots=True)
class ShownPolicy:
    """All of it."""

    tiers: list[ShownTier]
    rules: list[ShownRule]
    otherwise: str
    unlisted: str
    daily: list[str]


def known_names(policy: Policy) -> Names:
    """What the policy's tiers, and all workflows and teams, are called. Two statements."""
    workflows = dict(Workflow.objects.exclude(status=Workflow.Status.RESERVED).values_list("slug", "name"))
    return names_of(policy, workflows, dict(Team.objects.values_list("slug", "name")))


def facts_of(models: Iterable[Named], now: datetime) -> dict[Named, ModelFacts]:
    """What each model costs now and what is measured of it. Four statements at most."""
    wanted = list(dict.fromkeys(models))
    prices = book.current(current_generation())
    priced: dict[Named, int] = {}
    for named in wanted:
        price = prices.find(*named, STANDARD, now)
        if price is not None:
            priced[named] = price.price_id
    entries = PriceEntry.objects.in_bulk(set(priced.values()))
    measured = {(one.provider, one.model): one for one in ModelMeasure.objects.all()}
    return {named: _facts(entries.get(priced.get(named, 0)), measured.get(named)) for named in wanted}


def _facts(entry: PriceEntry | None, measure: ModelMeasure | None) -> ModelFacts:
    latency = told_latency(measure) if measure else None
    quality = told_quality(measure) if measure else None
    values: Mapping[str, Any] = vars(entry) if entry else {}
    return ModelFacts(
        input=dollars(entry.input) if entry else "",
        output=dollars(entry.output) if entry else "",
        exact_input=_exact(entry.input if entry else None),
        exact_output=_exact(entry.output if entry else None),
        extras=tuple(extras({name: values.get(name) for name in ("units", "steps", "hours")})),
        latency=seconds(latency) if latency else "",
        latency_of=f"measured on {measure.calls:,} calls" if measure and latency else "",
        latency_ms=latency,
        quality=plain(quality) if quality else "",
        quality_of=f"from {measure.reviewed_runs:,} reviewed runs" if measure and quality else "",
    )


def _exact(price: Decimal | None) -> str:
    return "" if price is None else plain(str(price))


def shown_model(place: int, entry: PolicyModel, facts: ModelFacts) -> ShownModel:
    """What is typed in goes before what is measured."""
    return ShownModel(
        place,
        entry.provider,
        entry.model,
        facts,
        seconds(entry.latency_ms) if entry.latency_ms else facts.latency,
        "typed in" if entry.latency_ms else facts.latency_of,
        plain(entry.quality) if entry.quality is not None else facts.quality,
        "typed in" if entry.quality is not None else facts.quality_of,
    )


def shown_tiers(policy: Policy, now: datetime, told: Remarks | None = None) -> list[ShownTier]:
    """Cheapest first. Five statements at most."""
    said = told.tiers if told else {}
    facts = facts_of(((one.provider, one.model) for tier in policy.tiers for one in tier.models), now)
    counts = tier_uses()
    return [
        ShownTier(
            tier,
            [
                shown_model(place, one, facts.get((one.provider, one.model), NOTHING_KNOWN))
                for place, one in enumerate(tier.models, start=1)
            ],
            counts.get(tier.number, 0),
            said.get(place, ()),
        )
        for place, tier in sorted(enumerate(policy.tiers), key=lambda one: one[1].number)
    ]


def tier_uses() -> dict[int, int]:
    """Tier → how many workflows have it as their own. One statement."""
    rows = Workflow.objects.filter(merged_into=None).exclude(default_tier=None).order_by()
    return dict(rows.values_list("default_tier").annotate(Count("pk")))


def shown_rules(
    rules: Sequence[Rule], names: Names, calls: Mapping[str, int] | None = None, told: Remarks | None = None
) -> list[ShownRule]:
    """In the order in which they are tried. `calls` by the rule's id."""
    said = told.rules if told else {}
    return [
        ShownRule(
            place,
            rule,
            rule_in_words(rule, names),
            when_in_words(rule.when, names),
            then_in_words(rule.then, names),
            None if calls is None else calls.get(rule.id, 0),
            said.get(place - 1, ()),
        )
        for place, rule in enumerate(rules, start=1)
    ]


def shown(
    policy: Policy, now: datetime, calls: Mapping[str, int] | None = None, told: Remarks | None = None
) -> ShownPolicy:
    """Seven statements at most."""
    names = known_names(policy)
    return ShownPolicy(
        tiers=shown_tiers(policy, now, told),
        rules=shown_rules(policy.rules, names, calls, told),
        otherwise=otherwise_in_words(policy.otherwise, names),
        unlisted=UNLISTED_WORDS[policy.unlisted_models],
        daily=[daily_in_words(environment, tokens) for environment, tokens in sorted(policy.daily_tokens.items())],
    )
