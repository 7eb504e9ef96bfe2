"""The policy's forms: what is typed, what is made of it, what is said to it."""

import pytest
from django.http import QueryDict

from routing.policy import default_form, rule_form, tier_form, written
from routing.policy.default_form import DefaultForm, daily
from routing.policy.document import (
    Conditions,
    Outcome,
    Policy,
    PolicyModel,
    PolicyTier,
    Rule,
    Span,
    TimeOfDay,
)
from routing.policy.rule_form import RuleForm, continued, new_id
from routing.policy.tier_form import TierForm
from routing.policy.words import Names
from routing.tests.policies import a_policy

NAMES = Names({}, {"briefs": "SEO briefs", "ads": "Ad copy"}, {"content": "Content"})
POLICY = a_policy()


def posted(values):
    """As a browser sends a form's values."""
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def a_form(policy=POLICY, rule=None, **typed):
    current = rule.then if rule else None
    return RuleForm(posted({"name": "Any"} | typed), policy=policy, names=NAMES, current=current)


ALL_CONDITIONS = Conditions(
    workflow=["briefs", "later"],
    team=["content"],
    stage=["draft", "refine"],
    task_type=["reasoning"],
    risk_category=["legal"],
    environment=["staging"],
    user=["Kraus, Lena", 'the "boss"'],
    user_tier=["gold"],
    application=["cms"],
    domain=["law"],
    business_value=Span("1.5", "3"),
    complexity=Span("0.25", None),
    input_tokens=Span(0, 2000),
    estimated_cost_nano=Span(50_000_000, 1_234_567_891),
    time_of_day=TimeOfDay("22:00", "06:00", [1, 5]),
)
ALL_RESULTS = Outcome(
    tier=3, provider="a", model="three", latency_ms=1500, quality="0.85", max_cost_nano=1, max_output_tokens=1500,
    cache=["prompt", "semantic"], batch=False, review=True,
)  # fmt: skip


@pytest.mark.parametrize(
    "rule",
    [
        Rule("x", "Nothing said"),
        Rule("x", "All of it", ALL_CONDITIONS, ALL_RESULTS),
        Rule("x", "Days only", Conditions(time_of_day=TimeOfDay("00:00", "00:00", [6, 7])), Outcome(cache=[])),
        Rule("x", "Below only", Conditions(estimated_cost_nano=Span(None, 1)), Outcome(batch=True, review=False)),
        Rule("x", "A tier and a model that are gone", Conditions(), Outcome(tier=9)),
        Rule("x", "A model that is gone", Conditions(), Outcome(provider="old", model="one/two")),
        Rule("x", "Bounds of the API", Conditions(business_value=Span("0", "999999999.5")), Outcome(max_cost_nano=0)),
    ],
)
def test_a_rule_that_is_opened_and_saved_stays_as_it_is(rule):
    form = a_form(rule=rule, **rule_form.first_values(rule))
    assert form.is_valid(), form.errors
    assert form.rule("x") == rule


def test_people_may_write_names_and_numbers_as_they_do():
    form = a_form(
        workflow="seo BRIEFS, ads,ads", stage=" draft ,, refine", tokens_from="2k", cost_below="$0.05",
        max_output_tokens="1,500", latency="1.5", time_from="9:30", time_to="18.00",
    )  # fmt: skip
    assert form.is_valid(), form.errors
    rule = form.rule("x")
    assert (rule.when.workflow, rule.when.stage) == (["briefs", "ads"], ["draft", "refine"])
    assert (rule.when.input_tokens, rule.when.estimated_cost_nano) == (Span(2000), Span(None, 50_000_000))
    assert rule.when.time_of_day == TimeOfDay("09:30", "18:00")
    assert (rule.then.max_output_tokens, rule.then.latency_ms) == (1500, 1500)


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"name": ""}, "name", "Give the rule a name"),
        ({"tokens_from": "many"}, "tokens_from", "Write a number like 1,500 or 0.5."),
        ({"tokens_from": "1.5"}, "tokens_from", "Write a whole number of tokens, such as 2,000."),
        ({"tokens_from": "2000", "tokens_below": "2,000"}, "tokens_below", "Nothing is between these two"),
        ({"cost_from": "0.0000000001"}, "cost_from", "Write an amount in US dollars"),
        ({"complexity_from": "2"}, "complexity_from", "Write a number from 0 to 1"),
        ({"value_from": "-1"}, "value_from", "Write a number like"),
        ({"time_from": "22:00"}, "time_to", "Say both: from when and until when."),
        ({"time_from": "25:00", "time_to": "1:00"}, "time_from", "Write a time like 22:00."),
        ({"max_output_tokens": "0"}, "max_output_tokens", "Write a whole number of tokens above zero"),
        ({"quality": "1.1"}, "quality", "Write a number from 0 to 1"),
        ({"latency": "0"}, "latency", "Write a number of seconds above zero"),
        ({"latency": "9" * 40}, "latency", "Write a number"),
        ({"tier": "1", "model": "a/three"}, "model", "a/three is not in Economy. Choose one of its models."),
        ({"tier": "9"}, "tier", "Select a valid choice"),
        ({"stage": "x" * 129}, "stage", "too long"),
        ({"user": ",".join(f"u{n}" for n in range(201))}, "user", "At most 200 of them"),
        ({"days": ["8"]}, "days", "Select a valid choice"),
        ({"stage": "a\0b"}, "stage", "Null characters"),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(typed, field, said):
    form = a_form(**typed)
    assert not form.is_valid()
    assert said in form.errors[field][0]
    assert list(form.errors) == [field]


def test_a_model_alone_is_enough():
    form = a_form(model="a/two")
    assert form.is_valid()
    assert form.rule("x").then == Outcome(provider="a", model="two")


def test_the_list_under_a_field_goes_on_from_what_is_typed():
    known = {"briefs": "SEO briefs", "ads": "Ad copy"}
    assert continued("", known) == [("briefs", "SEO briefs"), ("ads", "Ad copy")]
    assert continued("briefs, a", known) == [("briefs, ads", "Ad copy")]


def test_folded_parts_are_open_where_they_are_used_or_wrong():
    assert not a_form().more_conditions_open
    assert not a_form(tokens_from="5", tier="1", review="yes").more_results_open
    assert a_form(days=["1"]).more_conditions_open
    assert a_form(quality="0.5").more_results_open
    wrong = a_form(quality="x")
    assert not wrong.is_valid()
    assert wrong.more_results_open


@pytest.mark.parametrize(
    ("name", "taken", "made"),
    [
        ("Final copy", [], "final-copy"),
        ("Final copy", ["final-copy", "final-copy-2"], "final-copy-3"),
        ("Über 1 €", [], "uber-1"),
        ("日本語", ["rule"], "rule-2"),
        ("x" * 128, ["x" * 58], f"{'x' * 58}-2"),
    ],
)
def test_ids_of_new_rules(name, taken, made):
    assert new_id(name, taken) == made


def a_tier_form(tier, policy=POLICY, **typed):
    return TierForm(posted({"name": "Any"} | typed), policy=policy, tier=tier)


def canonical(provider, model):
    return ("openai", model) if model.startswith("gpt") else ("", model)


def test_a_tier_that_is_opened_and_saved_stays_as_it_is():
    models = [PolicyModel("a", "one", 1234, "0.5"), PolicyModel("b", "c/d")]
    tier = PolicyTier(1, "Economy", models, needs_approval=True, review_note="Ask Lena.")
    policy = Policy(tiers=[tier])
    typed = tier_form.first_values(policy, tier) | {"needs_approval": "on"}
    for n, row in enumerate(tier_form.rows_of_tier(tier)):
        typed |= {f"model_{n}": row.name, f"latency_{n}": row.latency, f"quality_{n}": row.quality}
    form = a_tier_form(tier, policy, **typed)
    assert form.is_valid(), form.errors
    assert form.tier() == tier


def test_models_are_moved_and_taken_out():
    typed = {"model_0": "a/x", "model_1": "a/y", "latency_1": "2", "model_2": "a/z"}
    form = a_tier_form(POLICY.tiers[0], **typed)
    assert form.arrange("up-1") == "a/y is number 1 now. Nothing is saved yet."
    assert [(row.name, row.latency) for row in form.rows] == [("a/y", "2"), ("a/x", ""), ("a/z", "")]
    assert form.arrange("down-0").startswith("a/y is number 2")
    assert form.arrange("remove-2") == "a/z is taken out. Nothing is saved yet."
    for nonsense in ("up-0", "down-1", "up-9", "up-", "sideways-1", "remove-x", "remove--1"):
        assert form.arrange(nonsense) == ""
    assert [row.name for row in form.rows] == ["a/x", "a/y"]


def test_models_are_added_with_what_the_price_book_calls_them():
    form = a_tier_form(POLICY.tiers[0], model_0="a/one")
    assert form.add_model("gpt-4.1", canonical) == ""
    assert form.add_model(" b / c/d ", canonical) == ""
    assert [row.name for row in form.rows] == ["a/one", "openai/gpt-4.1", "b/c/d"]
    assert form.add_model("unheard-of", canonical) == "Write the provider and the model, such as openai/gpt-4.1."
    assert form.add_model("", canonical).startswith("Write the provider")
    assert form.add_model("a/one", canonical) == "a/one is in this tier already."
    assert form.add_model("a/two", canonical).startswith("a/two is in Standard.")


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"number": "1"}, "number", "There is a tier 1 already."),
        ({"number": ""}, "number", "Give the tier a number"),
        ({"number": "100"}, "number", "99"),
        ({"number": "4", "name": ""}, "name", "Give the tier a name"),
    ],
)
def test_a_new_tier_that_is_refused(typed, field, said):
    form = a_tier_form(None, **typed)
    assert not form.is_valid()
    assert said in form.errors[field][0]


def test_figures_of_a_model_that_make_no_sense():
    form = a_tier_form(POLICY.tiers[0], model_0="a/one", latency_0="soon", quality_0="2")
    assert not form.is_valid()
    assert form.rows[0].errors == {
        "latency": "Write a number like 1,500 or 0.5.",
        "quality": "Write a number from 0 to 1, such as 0.8.",
    }
    assert form.non_field_errors() == ["What is typed in of one model needs a change."]


def test_the_default_that_is_opened_and_saved_stays_as_it_is():
    policy = a_policy(otherwise=ALL_RESULTS, unlisted_models="block", daily_tokens={"*": 5, "a: b": 200_000})
    form = DefaultForm(posted(default_form.first_values(policy)), policy=policy, current=policy.otherwise)
    assert form.is_valid(), form.errors
    assert form.changed() == {
        "otherwise": policy.otherwise,
        "unlisted_models": "block",
        "daily_tokens": policy.daily_tokens,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("staging", "write the environment, a colon and the number"),
        ("staging: many", "staging: Write a number"),
        ("staging:", "Say how many tokens a day in staging."),
        (": 5", "write the environment"),
        ("a: 1\na: 2", "a stands there twice."),
        ("\n".join(f"e{n}: 1" for n in range(51)), "At most 50 environments."),
        (f"{'x' * 129}: 1", "too long"),
    ],
)
def test_daily_amounts_that_make_no_sense(text, said):
    with pytest.raises(ValueError, match=r"[.]$") as refused:
        daily(text)
    assert said in str(refused.value)


def test_lists_hold_names_with_commas():
    values = ["Kraus, Lena", 'the "boss"', "plain"]
    assert written.names(written.shown_names(values)) == values
    assert written.names("a\nb") == ["a b"]
