"""What differs between two policies, each kind once."""

import msgspec
import pytest

from routing.policy.compare import differences
from routing.policy.document import Outcome, PolicyModel
from routing.tests.policies import a_policy, a_rule, a_tier

OLD = a_policy(
    a_rule("a", {"stage": ["draft"]}, tier=1),
    a_rule("b", {"stage": ["refine"]}, tier=2),
    a_rule("c", {"workflow": ["seo"]}, tier=3),
    tiers=[a_tier(1, "a/one", "a/uno"), a_tier(2, "a/two")],
    daily_tokens={"*": 1000, "staging": 5},
)


def changed(**values):
    return msgspec.structs.replace(OLD, **values)


def told(new, **names):
    return [(one.kind, one.subject, one.sentence) for one in differences(OLD, new, **names)]


def test_equal_policies_do_not_differ():
    assert told(changed()) == []


@pytest.mark.parametrize(
    ("tiers", "kind", "subject", "sentence"),
    [
        ([*OLD.tiers, a_tier(3, needs_approval=True)], "tier_added", "3", "New tier 3, Premium, which needs approval."),
        ([OLD.tiers[0], a_tier(2, "a/two", name="Good")], "tier_changed", "2", "Standard is called Good."),
        ([OLD.tiers[0], a_tier(2, "a/two", needs_approval=True)], "tier_changed", "2", "Standard needs approval."),
        (
            [OLD.tiers[0], a_tier(2, "a/two", review_note="x")],
            "tier_changed", "2", "The note for approvers of Standard changed.",
        ),
        ([OLD.tiers[0], a_tier(2, "a/two", "a/new")], "model_added", "a/new", "a/new is new in Standard."),
        ([a_tier(1, "a/one"), OLD.tiers[1]], "model_removed", "a/uno", "a/uno is no longer in Economy."),
        (
            [a_tier(1, "a/one"), a_tier(2, "a/two", "a/uno")],
            "model_moved", "a/uno", "a/uno moved from Economy to Standard.",
        ),
        (
            [a_tier(1, "a/uno", "a/one"), OLD.tiers[1]],
            "models_reordered", "1", "The order in Economy is now a/uno, a/one.",
        ),
    ],
)  # fmt: skip
def test_tiers_and_models(tiers, kind, subject, sentence):
    assert told(changed(tiers=tiers)) == [(kind, subject, sentence)]


def test_a_tier_that_is_gone_takes_its_models():
    assert told(changed(tiers=OLD.tiers[:1])) == [
        ("tier_removed", "2", "Tier 2, Standard, is gone."),
        ("model_removed", "a/two", "a/two is no longer in Standard."),
    ]


def test_typed_in_figures():
    tiers = [OLD.tiers[0], msgspec.structs.replace(OLD.tiers[1], models=[PolicyModel("a", "two", 900, "0.8")])]
    sentence = "What is typed in for a/two changed: nothing, now 900 ms and quality 0.8."
    assert told(changed(tiers=tiers)) == [("model_changed", "a/two", sentence)]


def test_rules():
    a, b, c = OLD.rules
    new = a_rule("d", {"stage": ["publish"]}, tier=2)
    assert told(changed(rules=[a, new, b, c])) == [
        ("rule_added", "d", "New rule 2, “D”: If the stage is publish → Standard.")
    ]
    assert told(changed(rules=[a, c])) == [
        ("rule_removed", "b", "Rule “B” is gone: If the stage is refine → Standard.")
    ]
    assert told(changed(rules=[c, a, b])) == [("rule_moved", "c", "“C” is rule 1 now; it was rule 3.")]
    assert told(changed(rules=[b, a, c])) != [], "which of two is said to have moved does not matter"
    wider = msgspec.structs.replace(a_rule("a", {"stage": ["draft", "verify"]}, tier=2), name="Early")
    assert told(changed(rules=[wider, b, c])) == [
        (
            "rule_changed",
            "a",
            "“A” changed: it is called “Early” now; it fits: If the stage is draft or verify (before: If the stage is"
            " draft); it gives: Standard (before: Economy).",
        )
    ]
    named = told(changed(rules=[a, b]), workflows={"seo": "SEO briefs"})
    assert named == [("rule_removed", "c", "Rule “C” is gone: If the workflow is SEO briefs → tier 3.")]


def test_the_rest():
    assert told(changed(otherwise=Outcome(tier=2)))[0][:2] == ("otherwise_changed", "")
    assert told(changed(unlisted_models="block")) == [
        ("unlisted_changed", "", "Calls for models of no tier are refused. Before: go through as asked.")
    ]
    assert told(changed(daily_tokens={"*": 2000, "test": 7})) == [
        (
            "daily_tokens_changed",
            "*",
            "Each workflow may use 2,000 tokens a day in every environment but production; it was 1,000 tokens.",
        ),
        ("daily_tokens_changed", "staging", "No daily limit in staging; it was 5 tokens."),
        ("daily_tokens_changed", "test", "Each workflow may use 7 tokens a day in test; there was no limit."),
    ]


def test_sides_are_json():
    for one in differences(OLD, a_policy(otherwise=Outcome(tier=1))):
        msgspec.json.encode((one.before, one.after))
