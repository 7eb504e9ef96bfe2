"""Rules as sentences."""

import pytest

from routing.policy.document import Conditions, Outcome, Policy, PolicyTier, Rule, Span, TimeOfDay
from routing.policy.words import (
    Names,
    daily_in_words,
    dollars,
    names_of,
    otherwise_in_words,
    rule_in_words,
    seconds,
    then_in_words,
    when_in_words,
)

NAMES = Names({1: "Economy", 3: "Premium"}, {"briefs": "SEO briefs"}, {"content": "Content"})


def test_the_sentence_of_a_rule():
    rule = Rule(
        "final",
        "Final copy",
        Conditions(stage=["publish"], input_tokens=Span(at_least=2000)),
        Outcome(tier=3, max_output_tokens=1500, review=True),
    )
    assert rule_in_words(rule, NAMES) == (
        "If the stage is publish and the input has 2,000 tokens or more → "
        "Premium, at most 1,500 tokens, a person reviews"
    )
    assert rule_in_words(Rule("x", "X")) == "Every call → as it would be without this rule"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (Conditions(), "Every call"),
        (Conditions(workflow=["briefs", "other"]), "If the workflow is SEO briefs or other"),
        (Conditions(team=["content"]), "If the team is Content"),
        (Conditions(risk_category=["public", "legal", "health"]), "If the risk is public, legal or health"),
        (Conditions(user_tier=["gold"], domain=["law"]), "If the user tier is gold and the domain is law"),
        (Conditions(input_tokens=Span(below=1)), "If the input has fewer than 1 token"),
        (Conditions(input_tokens=Span(at_least=10, below=20)), "If the input has 10 to 19 tokens"),
        (Conditions(complexity=Span(at_least="0.50")), "If the complexity is 0.5 or more"),
        (Conditions(complexity=Span(below="1")), "If the complexity is below 1"),
        (Conditions(business_value=Span("1.5", "3")), "If the business value is 1.5 or more, but below 3"),
        (Conditions(estimated_cost_nano=Span(at_least=50_000_000)), "If the call is expected to cost $0.05 or more"),
        (Conditions(estimated_cost_nano=Span(below=420_000)), "If the call is expected to cost less than $0.00042"),
        (
            Conditions(estimated_cost_nano=Span(10**9, 2 * 10**9)),
            "If the call is expected to cost $1.00 or more, but less than $2.00",
        ),
        (Conditions(time_of_day=TimeOfDay("22:00", "06:00")), "If it is between 22:00 and 06:00"),
        (
            Conditions(time_of_day=TimeOfDay("22:00", "06:00", [1, 2, 3, 4, 5])),
            "If it is between 22:00 and 06:00, Mon–Fri",
        ),
        (Conditions(time_of_day=TimeOfDay("00:00", "00:00", [6, 7])), "If the day is Sat or Sun"),
    ],
)
def test_conditions(when, said):
    assert when_in_words(when, NAMES) == said


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (Outcome(tier=1), "Economy"),
        (Outcome(tier=9), "tier 9"),
        (Outcome(tier=1, provider="openai", model="gpt-4.1"), "Economy, by openai/gpt-4.1"),
        (Outcome(quality="0.80", latency_ms=1500), "quality 0.8 or better, answered within 1.5 seconds"),
        (Outcome(max_cost_nano=2_500_000), "at most $0.0025 a call"),
        (Outcome(cache=[]), "no cache may answer"),
        (Outcome(cache=["prompt", "response"]), "cache: prompt or same question"),
        (Outcome(batch=True, review=False), "may wait for a batch, no person has to review"),
        (Outcome(batch=False), "never in a batch"),
    ],
)
def test_results(then, said):
    assert then_in_words(then, NAMES) == said


def test_the_default():
    start = "A call that no rule fits is served by its workflow’s own tier, or by"
    assert otherwise_in_words(Outcome(), NAMES) == f"{start} the cheapest one where it has none."
    assert otherwise_in_words(Outcome(tier=1), NAMES) == f"{start} Economy where it has none."
    assert otherwise_in_words(Outcome(tier=1, review=True, batch=True), NAMES) == (
        f"{start} Economy where it has none: may wait for a batch, a person reviews."
    )


def test_small_words():
    assert daily_in_words("*", 200_000) == (
        "Each workflow may use 200,000 tokens a day in every environment but production, "
        "unless its own limits say otherwise."
    )
    assert (seconds(800), seconds(1000), dollars(1_200 * 10**9)) == ("800 ms", "1 second", "$1,200.00")
    assert names_of(Policy(tiers=[PolicyTier(4, "Best", [])])).tier(4) == "Best"
