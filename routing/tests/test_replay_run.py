"""Deciding past calls, without a database: names, runs, prices, what is not known."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from routing.replay.past import PastCall, RunTotals
from routing.replay.result import Sides
from routing.replay.run import Names, Replay, Side, is_changed, price_of
from routing.replay.words import headline, money
from usage.prices.price import price_from

AT = datetime(2026, 10, 5, 10, tzinfo=UTC)
DOLLAR = 10**9
CALL = PastCall(
    id=1, time=AT, workflow="briefs", team="", run_id=None, step=None, attempt=None, step_kind=None, stage="",
    task_type="", domain=None, environment="production", operation="", application=None, user=None, user_tier=None,
    customer=None, tags=None, provider="acme", model="cheap", requested_model=None, tier=1, grant_id=None,
    measured=True, input_tokens=1_000_000, cached_input_tokens=None, cache_write_tokens=None, output_tokens=500_000,
    reasoning_tokens=None, context=None, retrieved_chunks=None, tools_exposed=None, service_tier="standard",
    status="ok", units=None, cost=2 * DOLLAR,
)  # fmt: skip


class Book:
    """Prices of the tests: dated names mean their model."""

    prices = {
        "cheap": price_from(1, "acme", "cheap", "standard", {"input": "1", "output": "2"}),
        "best": price_from(2, "acme", "best", "standard", {"input": "10", "output": "20", "cached_input": "1"}),
    }

    def canonical(self, provider, model):
        return provider or "acme", model.partition("-2026")[0]

    def find(self, provider, model, service_tier, time):
        return self.prices.get(self.canonical(provider, model)[1]) if service_tier == "standard" else None


def document(*rules, workflows=None, unlisted="allow", approval=True):
    def model(name):
        return {"provider": "acme", "model": name, "latency_ms": None, "quality": None, "prices": []}

    return {
        "epoch": 0, "revision": 0, "policy_version": 0, "fail_mode": "block", "default_tier": 1, "budgets": [],
        "blocked": [], "grants": [], "workflows": workflows or {}, "organisation": {"utc_offsets": []},
        "tiers": [
            {"number": 1, "name": "Economy", "needs_approval": False, "models": [model("cheap")]},
            {"number": 2, "name": "Premium", "needs_approval": approval, "models": [model("best")]},
        ],
        "policy": {"unlisted_models": unlisted, "rules": list(rules), "otherwise": {}, "daily_tokens": {}},
    }  # fmt: skip


def call(**values):
    return msgspec.structs.replace(CALL, **values)


@pytest.mark.parametrize(
    ("provider", "model", "requested", "expected"),
    [
        ("acme", "best", None, ("acme", "best")),
        ("acme", "best-2026-01-01", None, ("acme", "best")),  # as it was asked for
        ("acme", "cheap", "best", ("acme", "best")),  # another one answered
        ("acme", "best-2026-01-01", "best", ("acme", "best")),
        ("acme", "cheap", "marketing-default", ("acme", "cheap")),  # a gateway's own name, which nobody knows
        ("acme", "unheard-of", None, ("acme", "unheard-of")),
    ],
)
def test_what_was_asked_for(provider, model, requested, expected):
    names = Names(document(), Book())
    assert names.asked(call(provider=provider, model=model, requested_model=requested)) == expected
    assert names.asked(call(provider=provider, model=model, requested_model=requested)) == expected  # remembered


def test_the_model_that_served_it_keeps_its_cost():
    """Whatever the book says today: a call that goes as it went costs what it cost."""
    outcome, _ = Side(document(), Book()).decide(call(model="cheap-2026-05-05", cost=7))
    assert (outcome.same, outcome.cost, outcome.model) == (True, 7, "cheap")


def test_the_price_of_another_model():
    assert price_of(CALL, "acme", "best", Book()) == 20 * DOLLAR
    # 400,000 of them from the cache at a tenth of the price: 6 + 0.4 + 10.
    assert price_of(call(cached_input_tokens=400_000), "acme", "best", Book()) == 16_400_000_000
    assert price_of(call(measured=False), "acme", "best", Book()) is None
    assert price_of(CALL, "acme", "unheard-of", Book()) is None
    assert price_of(call(service_tier="batch"), "acme", "best", Book()) is None
    assert price_of(call(units={"web_search": "1"}), "acme", "best", Book()) is None


def test_what_a_gateway_refused_is_not_free_once_it_goes_through():
    refused = call(status="blocked", input_tokens=None, output_tokens=None, cost=0)
    outcome, _ = Side(document(), Book()).decide(refused)
    assert (outcome.made, outcome.cost, outcome.measured) == (True, None, False)


def test_a_runs_totals_are_of_what_went_through():
    limited = {"briefs": {"guardrails": {"max_run_money": "5"}}}
    priced = document(workflows=limited)
    priced["tiers"][0]["models"][0]["prices"] = [
        {"from_input_tokens": 0, "input": 1 * DOLLAR, "output": 2 * DOLLAR},
    ]  # fmt: skip
    side = Side(priced, Book())
    calls = [call(run_id="r", id=n) for n in range(4)]
    assert [side.decide(one)[0].made for one in calls] == [True, True, False, False]  # $2 each: the third goes over $5
    steps = {"briefs": {"guardrails": {"max_run_steps": 2}}}
    side = Side(document(workflows=steps), Book())
    assert [side.decide(one)[0].made for one in calls] == [True, True, False, False]
    assert [side.decide(call(run_id="other", id=9))[0].made] == [True]  # a run of its own
    kinds = {"briefs": {"guardrails": {"max_steps_by_kind": {"retrieve": 1}}}}
    side = Side(document(workflows=kinds), Book())
    retrieving = [call(run_id="r", step_kind="retrieve", attempt=n) for n in (1, 2, 1)]
    assert [side.decide(one)[0].made for one in retrieving] == [True, True, False]


def test_totals_of_a_run():
    totals = RunTotals()
    totals.add(call(step_kind="plan"), 3)
    totals.add(call(attempt=2, step_kind="plan"), None)
    totals.add(call(step=9, output_tokens=None), 4)
    assert (totals.steps, totals.by_kind, totals.tokens, totals.cost) == (9, {"plan": 1}, 4_000_000, 7)
    kept = totals.so_far()
    totals.add(call(step_kind="plan"), 3)
    assert kept.steps_by_kind == {"plan": 1}  # a value: later calls leave it alone


def test_what_counts_as_decided_differently():
    def outcome(*rules, one=CALL, **options):
        return Side(document(*rules, **options), Book()).decide(one)[0]

    review = {"id": "r", "name": "r", "when": {}, "then": {"review": True}}
    capped = {"id": "c", "name": "c", "when": {}, "then": {"max_output_tokens": 100}}
    assert not is_changed(outcome(), outcome())
    assert is_changed(outcome(), outcome(review))
    assert is_changed(outcome(), outcome(capped))
    best = call(model="best")
    assert outcome(one=best).action == "require_approval"
    assert is_changed(outcome(one=best), outcome(one=best, approval=False))
    assert not is_changed(outcome(one=best), outcome(review, one=best))  # not made either way
    assert is_changed(outcome(one=call(model="odd"), unlisted="block"), outcome(one=best))


def test_an_unknown_cost_is_no_saving():
    """By the draft it goes to a model without a price: that is not $2 less."""
    unpriced = document()
    unpriced["tiers"][0]["models"][0]["model"] = "unheard-of"
    replay = Replay(document(), {**unpriced, "policy": {**unpriced["policy"], "unlisted_models": "replace"}}, Book())
    replay.add(CALL)
    total = replay.total
    assert (total.draft.unpriced, total.draft.cost, total.live.cost) == (1, 0, 2 * DOLLAR)
    assert (total.compared, total.difference) == (0, 0)
    assert money(total.draft) == "no price yet"


def test_headlines():
    from types import SimpleNamespace

    def said(sides, calls):
        return headline(SimpleNamespace(total=sides), "October", calls)

    sides = Sides.empty()
    assert said(sides, 0) == "There are no calls in October."
    for tally, cost in ((sides.happened, 4), (sides.live, 3), (sides.draft, 1)):
        tally.calls = tally.made = 10
        tally.cost = cost * DOLLAR
    sides.compared, sides.live_compared, sides.draft_compared = 10, 3 * DOLLAR, 1 * DOLLAR
    assert said(sides, 10) == (
        "On the 10 calls of October this draft would have spent $1.00, $2.00 less than the policy in force."
    )
    assert said(sides, 1000) == (
        "On all 1,000 calls of October this draft would have spent about $100.00, about $200.00 less than the policy"
        " in force."
    )
    sides.draft.unpriced, sides.draft.cost = 10, 0
    assert "is not known" in said(sides, 10)


def test_money_is_never_a_float():
    replay = Replay(document(), document(), Book())
    replay.add(call(cost=1, units={"web_search": "0.5"}))
    for tally in (replay.total.happened, replay.total.live, replay.total.draft):
        assert type(tally.cost) is int
    assert Decimal(replay.total.draft.cost) == 1
