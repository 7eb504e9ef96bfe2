""" "Try it": a call's facts on a page, answered as gateways are, with every reason in words."""

from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from tokenops_sdk.asking import Decision, Model, Reason

from budgets.limits.edit import BudgetValues, create_budget
from budgets.models import Budget, BudgetState, Organisation, Workflow
from routing.bundle.compile import compile_if_changed
from routing.bundle.snapshot import current_period
from routing.policy.decided import change_in_words, facts, headline
from routing.policy.words import Names
from routing.tests.policies import ACTOR, a_draft, a_policy, a_rule, a_tier, published
from tests.people import viewer

NAMES = Names({1: "Economy", 3: "Premium"}, {"briefs": "SEO briefs"})
BERLIN = ZoneInfo("Europe/Berlin")


def a_decision(**values):
    said = {
        "action": "allow", "workflow": "briefs", "tier": 1, "default_tier": 1, "provider": "a", "model": "one",
        "fallbacks": (), "review": False, "max_output_tokens": None, "cache": (), "similarity_floor": None,
        "fresh_seconds": None, "batch": False, "grant_id": None, "per_minute": None, "leases": (),
        "estimated_cost_nano": None, "reasons": (), "changes": (), "revision": "1:1", "policy_version": 1,
    }  # fmt: skip
    return Decision(**said | values)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("allow", "The call goes through."),
        ("downgrade", "The call goes through, served by a cheaper tier."),
        ("human_review", "The call goes through, and a person reviews the result."),
        ("throttle", "The call goes through, slowed down: at most 1 call a minute."),
        ("summarize", "The caller has to send less first."),
        ("require_approval", "Somebody has to approve it first."),
        ("block", "The call is refused."),
    ],
)
def test_every_action_has_its_words(action, said):
    assert headline(a_decision(action=action, per_minute=1 if action == "throttle" else None)) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "grant", "tier": 3}, "An approval for Premium."),
        ({"kind": "use", "tier": 9}, "Using tier 9."),
        ({"kind": "resume"}, "Somebody lets the workflow go on."),
        ({"kind": "resume", "run": "r-17"}, "Somebody lets the run go on."),
        (
            {"kind": "resume", "run": "r-17", "at": "2026-11-30T23:00:00Z"},
            "Somebody lets the run go on; by itself it may from 1 Dec 2026, 00:00.",
        ),
        ({"kind": "budget", "budget": "q4"}, "More in the budget “Launch”."),
        (
            {"kind": "reset", "at": "2026-11-30T23:00:00Z"},
            "The next period of the budget, from 1 Dec 2026, 00:00.",
        ),
        ({"kind": "shorten", "layer": "history", "to": 4000}, "Shortening the earlier turns to 4,000 tokens."),
        ({"kind": "shorten", "layer": "input", "to": 1}, "Shortening the input to 1 token."),
        ({"kind": "shorten", "layer": "retrieved_chunks", "to": 5}, "At most 5 looked-up passages."),
        ({"kind": "shorten", "layer": "tools_exposed", "to": 8}, "At most 8 tools."),
        ({"kind": "something new"}, "Something else about the call."),
    ],
)
def test_every_change_has_its_words(change, said):
    assert change_in_words(change, NAMES, BERLIN, {"q4": "Launch"}) == said


def test_facts_name_everything_that_the_decision_says():
    decision = a_decision(
        tier=1, default_tier=3, fallbacks=(Model("b", "two"), Model("", "three")), estimated_cost_nano=50_000_000,
        max_output_tokens=1500, review=True, cache=("prompt", "response"), batch=True, grant_id="g-1",
        leases=({"kind": "money", "budget": "q4"}, {"kind": "calls", "workflow": "briefs"}),
        reasons=(Reason("rule", "allow", {}, "…"),),
    )  # fmt: skip
    assert facts(decision, NAMES, {"q4": "Launch"}) == [
        ("Counts as", "SEO briefs"),
        ("Tier", "Economy"),
        ("Without asking", "Premium"),
        ("Model", "a/one"),
        ("Stands in for it", "b/two or three"),
        ("Would cost about", "$0.05"),
        ("Longest answer", "1,500 tokens"),
        ("A person reviews", "yes"),
        ("A cache may answer", "prompt or same question"),
        ("May wait for a batch", "yes"),
        ("Uses the allowance", "g-1"),
        ("Reserved before the call", "money of the budget “Launch” and a call of the minute"),
    ]


@pytest.fixture
def paul(client):
    user = viewer()
    client.force_login(user)
    return user


def page_of(client, query="", status=200):
    answer = client.get(f"/routing/try/{query}")
    assert answer.status_code == status
    return answer.content.decode()


@pytest.mark.django_db
class TestPage:
    def test_whoever_may_look_may_try(self, client, paul):
        page = page_of(client)
        assert "What gateways are told of one call" in page
        assert "Say what the call is like." in page

    def test_the_newest_bundle_answers_with_every_reason(self, client, paul):
        Workflow.objects.create(slug="briefs", name="SEO briefs", status="production", default_tier=1)
        rule = a_rule(
            "final", {"stage": ["publish"], "input_tokens": {"at_least": 2000}}, tier=2, max_output_tokens=900
        )
        published(a_policy(rule))
        compile_if_changed()
        page = page_of(client, "?workflow=seo+briefs&stage=publish&input_tokens=2%2C000")
        for said in (
            "The call goes through.",
            "The rule “Final” fits this call.",
            "Standard",
            "900 tokens",
            "SEO briefs",
        ):
            assert said in page, said
        other = page_of(client, "?workflow=briefs&stage=publish&input_tokens=1999")
        assert "The rule “Final”" not in other
        asked = page_of(client, "?workflow=briefs&asked=a%2Fthree")
        assert "a cheaper tier" in asked or "Somebody has to approve it first." in asked
        assert "An approval for Premium." in asked

    def test_a_used_up_budget_is_named_with_when_it_begins_anew(self, client, paul):
        Workflow.objects.create(slug="briefs", name="SEO briefs", status="production")
        values = BudgetValues(name="Launch money", amount=10**9, scope={"workflow": "briefs"}, on_exhausted="block")
        budget = create_budget(ACTOR, values)
        period = current_period(budget, Organisation.get(), timezone.now())
        BudgetState.objects.create(
            budget=budget, period_start=period.first, period_end=period.last, starts_at=period.starts_at,
            ends_at=period.ends_at, limit=10**9, spent=2 * 10**9, crossed=100, status="exhausted",
        )  # fmt: skip
        published(a_policy())
        compile_if_changed()
        page = page_of(client, "?workflow=briefs")
        assert "The call is refused." in page
        assert "The budget “Launch money” is used up." in page
        assert "More in the budget “Launch money”." in page
        assert "The next period of the budget, from" in page

    def test_a_draft_answers_without_being_in_force(self, client, paul):
        published(a_policy(a_rule("all", tier=1)))
        compile_if_changed()
        draft = a_draft(a_policy(a_rule("all", tier=2), tiers=[a_tier(1, "a/one"), a_tier(2, "b/new", name="Better")]))
        page = page_of(client, f"?draft={draft.pk}&stage=draft")
        assert "b/new" in page
        assert "What this draft would say" in page
        assert f'name="draft" value="{draft.pk}"' in page
        assert "b/new" not in page_of(client, "?stage=draft")

    def test_while_the_bundle_is_behind_the_page_says_so(self, client, paul):
        published(a_policy())
        compile_if_changed()
        second = published(a_policy(a_rule("all", tier=2)))
        page = page_of(client, "?stage=draft")
        assert f"Version {second.number} is on its way to the gateways." in page
        assert "The rule “All”" not in page
        compile_if_changed()
        page = page_of(client, "?stage=draft")
        assert "is on its way" not in page
        assert "The rule “All” fits this call." in page

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("?input_tokens=lots", "Write a number like 1,500 or 0.5."),
            ("?input_tokens=999999999999", "Give a whole number from 0 to 100000000."),
            ("?complexity=7", "Write a number from 0 to 1"),
            ("?workflow=a,b", "Name one workflow."),
            ("?asked=zebra", "Select a valid choice."),
            ("?stage=%00", "Null characters are not allowed."),
            (f"?user={'x' * 200}", "at most 128 characters"),
            ("?max_cost=999999999", "Give a whole number from 0 to"),
            ("?tags=campaign", "“campaign”: write a name, an equals sign and a value"),
            ("?tools_exposed=1.5", "Write a whole number, such as 5."),
            ("?run_cost=-1", "Write a number like"),
        ],
    )
    def test_what_makes_no_sense_is_said_beside_its_field(self, client, paul, query, said):
        page = page_of(client, query, 422)
        assert said in page
        assert "One of the facts needs a change first." in page

    def test_a_draft_that_is_not_there(self, client, paul):
        for wrong in ("x", "-1", "99999999999999", "4444"):
            page_of(client, f"?draft={wrong}", 404)

    def test_limits_of_the_workflow_say_what_to_shorten(self, client, paul):
        limits = {"max_history_tokens": 4000, "max_output_tokens": 3}
        Workflow.objects.create(slug="briefs", name="SEO briefs", status="production", guardrails=limits)
        published(a_policy())
        compile_if_changed()
        page = page_of(client, "?workflow=briefs&history=9k&retrieval=10&tags=a%3Db&customer=acme")
        assert "The caller has to send less first." in page
        assert "Shortening the earlier turns to 4,000 tokens." in page

    def test_nothing_is_written_by_trying(self, client):
        client.force_login(User.objects.create_superuser("lena"))
        published(a_policy())
        compile_if_changed()
        before = list(Budget.objects.values_list("pk", flat=True)), Workflow.objects.count()
        page_of(client, "?workflow=never-heard-of&input_tokens=5")
        assert (list(Budget.objects.values_list("pk", flat=True)), Workflow.objects.count()) == before


@pytest.mark.django_db
def test_a_call_without_a_workflow_counts_as_what_its_page_is_called(client):
    client.force_login(viewer())
    page = client.get("/routing/try/?stage=draft").content.decode()
    assert "No workflow yet" in page and "unassigned" not in page
