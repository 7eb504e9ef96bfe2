"""A policy in words: each rule as a sentence. Pure.

"If the stage is publish and the input has 2,000 tokens or more → Premium, at most 1,500 tokens, a person reviews".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import msgspec

from budgets.pages.moments import DAYS
from budgets.workflows.limit_kinds import CACHE_KINDS, listed
from routing.policy.document import Conditions, Outcome, Policy, Rule, Span, TimeOfDay

NANO: Final = 1_000_000_000
EVERY_OTHER: Final = "*"  # of daily amounts: every environment but production
LABELS: Final = {
    "workflow": "workflow",
    "team": "team",
    "stage": "stage",
    "task_type": "task type",
    "risk_category": "risk",
    "environment": "environment",
    "user": "user",
    "user_tier": "user tier",
    "application": "application",
    "domain": "domain",
}
UNLISTED_WORDS: Final = {
    "allow": "A call for a model that is in no tier goes through as asked.",
    "replace": "A call for a model that is in no tier is served by the tier it would have without asking.",
    "block": "A call for a model that is in no tier is refused.",
}


@dataclass(frozen=True, slots=True)
class Names:
    """What people call things: tier by number; workflow and team by short name. What is not in it is named as it is."""

    tiers: Mapping[int, str] = field(default_factory=dict)
    workflows: Mapping[str, str] = field(default_factory=dict)
    teams: Mapping[str, str] = field(default_factory=dict)

    def tier(self, number: int) -> str:
        return self.tiers.get(number) or f"tier {number}"

    def of(self, kind: str, value: str) -> str:
        """A value of a condition as people know it."""
        known = {"workflow": self.workflows, "team": self.teams}.get(kind, {})
        return known.get(value) or value


NO_NAMES: Final = Names()


def names_of(
    policy: Policy, workflows: Mapping[str, str] | None = None, teams: Mapping[str, str] | None = None
) -> Names:
    """The policy's own tiers, beside names by short name."""
    return Names({tier.number: tier.name for tier in policy.tiers}, workflows or {}, teams or {})


def rule_in_words(rule: Rule, names: Names = NO_NAMES) -> str:
    """When it fits and what it gives: "Every call → Economy"."""
    return f"{when_in_words(rule.when, names)} → {then_in_words(rule.then, names)}"


def when_in_words(when: Conditions, names: Names = NO_NAMES) -> str:
    """ "If the stage is publish and the risk is public or legal"; "Every call" without a condition."""
    said = conditions_in_words(when, names)
    return f"If {listed(said, 'and')}" if said else "Every call"


def conditions_in_words(when: Conditions, names: Names = NO_NAMES) -> list[str]:
    """One clause for each condition, in the order of the form."""
    said = []
    for kind, label in LABELS.items():
        values: list[str] = getattr(when, kind)
        if values:
            said.append(f"the {label} is {listed([names.of(kind, value) for value in values])}")
    said += [number_span("the business value is", when.business_value)] if when.business_value else []
    said += [token_span(when.input_tokens)] if when.input_tokens else []
    said += [cost_span(when.estimated_cost_nano)] if when.estimated_cost_nano else []
    said += [number_span("the complexity is", when.complexity)] if when.complexity else []
    said += [time_in_words(when.time_of_day)] if when.time_of_day else []
    return said


def then_in_words(then: Outcome, names: Names = NO_NAMES) -> str:
    """ "Premium, at most 1,500 tokens, a person reviews"."""
    said = [names.tier(then.tier)] if then.tier is not None else []
    said += [f"by {then.provider}/{then.model}"] if then.model else []
    said += [f"quality {plain(then.quality)} or better"] if then.quality is not None else []
    said += [f"answered within {seconds(then.latency_ms)}"] if then.latency_ms is not None else []
    said += [f"at most {dollars(then.max_cost_nano)} a call"] if then.max_cost_nano is not None else []
    said += [f"at most {counted(then.max_output_tokens)}"] if then.max_output_tokens is not None else []
    said += [caches_in_words(then.cache)] if then.cache is not None else []
    if then.batch is not None:
        said.append("may wait for a batch" if then.batch else "never in a batch")
    if then.review is not None:
        said.append("a person reviews" if then.review else "no person has to review")
    return ", ".join(said) or "as it would be without this rule"


def otherwise_in_words(otherwise: Outcome, names: Names = NO_NAMES) -> str:
    """What becomes of a call that no rule fits."""
    where = "the cheapest one" if otherwise.tier is None else names.tier(otherwise.tier)
    said = f"A call that no rule fits is served by its workflow’s own tier, or by {where} where it has none"
    rest = msgspec.structs.replace(otherwise, tier=None)  # a workflow's own tier goes before, the rest holds for all
    return f"{said}." if rest == Outcome() else f"{said}: {then_in_words(rest, names)}."


def daily_in_words(environment: str, tokens: int) -> str:
    """ "Each workflow may use 200,000 tokens a day in staging." """
    where = "every environment but production" if environment == EVERY_OTHER else environment
    return f"Each workflow may use {counted(tokens)} a day in {where}, unless its own limits say otherwise."


def caches_in_words(kinds: list[str]) -> str:
    """ "answers from the cache: prompt or same question"."""
    if not kinds:
        return "no cache may answer"
    return f"cache: {listed([CACHE_KINDS.get(kind, kind) for kind in kinds])}"


def number_span(what: str, span: Span) -> str:
    """ "the complexity is 0.5 or more"."""
    low, high = _text(span.at_least), _text(span.below)
    if low and high:
        return f"{what} {low} or more, but below {high}"
    return f"{what} {low} or more" if low else f"{what} below {high}"


def token_span(span: Span) -> str:
    """ "the input has 2,000 tokens or more"."""
    low, high = _whole(span.at_least), _whole(span.below)
    if low is not None and high is not None:
        return f"the input has {low:,} to {max(low, high - 1):,} tokens"
    if low is not None:
        return f"the input has {counted(low)} or more"
    return f"the input has fewer than {counted(high or 0)}"


def cost_span(span: Span) -> str:
    """ "the call is expected to cost $0.05 or more"."""
    low, high = _whole(span.at_least), _whole(span.below)
    if low is not None and high is not None:
        return f"the call is expected to cost {dollars(low)} or more, but less than {dollars(high)}"
    if low is not None:
        return f"the call is expected to cost {dollars(low)} or more"
    return f"the call is expected to cost less than {dollars(high or 0)}"


def time_in_words(time: TimeOfDay) -> str:
    """ "it is between 22:00 and 06:00, Mon–Fri"; the whole day where both are the same."""
    days = days_in_words(time.days)
    if time.start == time.to:
        return f"the day is {days or 'any'}"
    return f"it is between {time.start} and {time.to}{f', {days}' if days else ''}"


def days_in_words(days: list[int]) -> str:
    """ "Mon–Fri", "Mon, Wed"; empty where it is every day."""
    chosen = sorted({one for one in days if 1 <= one <= len(DAYS)})
    if not chosen or len(chosen) == len(DAYS):
        return ""
    names = [DAYS[one - 1] for one in chosen]
    in_a_row = chosen[-1] - chosen[0] == len(chosen) - 1 and len(chosen) > 2
    return f"{names[0]}–{names[-1]}" if in_a_row else listed(names)


def counted(tokens: int) -> str:
    """ "1 token", "2,000 tokens"."""
    return f"{tokens:,} token{'' if tokens == 1 else 's'}"


def seconds(milliseconds: int) -> str:
    """ "1.5 seconds", "800 ms"."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    value = plain(str(Decimal(milliseconds) / 1000))
    return f"{value} second{'' if value == '1' else 's'}"


def dollars(nano: int) -> str:
    """Exact: "$0.05", "$1,200.00", "$0.00042". US dollars, as prices are."""
    whole, _, rest = plain(str(Decimal(nano) / NANO)).partition(".")
    return f"${int(whole):,}.{rest:0<2}"


def plain(text: str) -> str:
    """Decimal text without idle noughts; as it is where it is none."""
    try:
        return f"{Decimal(text).normalize():f}"
    except ArithmeticError:
        return text


def _text(bound: int | str | None) -> str:
    return "" if bound is None else plain(str(bound))


def _whole(bound: int | str | None) -> int | None:
    """Whole numbers may be stored as text."""
    try:
        return None if bound is None else int(bound)
    except ValueError:
        return None
