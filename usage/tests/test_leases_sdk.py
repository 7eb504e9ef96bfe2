"""The SDK's leases on the real server: two gateways share a hard budget to its last call, and nothing beyond it."""

import json
import random
import threading
from dataclasses import replace
from functools import partial

import pytest
from django.test import Client
from django.utils import timezone
from tokenops_sdk.asking import Request
from tokenops_sdk.following import Answer, decide_without_bundle
from tokenops_sdk.leasing import Leases

from budgets.access.keys import make_key
from budgets.leases.fold import fold_leases
from budgets.leases.holdings import holdings
from budgets.limits.evaluate import evaluate_due
from budgets.models import NANO, Budget, BudgetState, Lease, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import at_once
from usage.ledger.check import check_ledger
from usage.tests.events import an_event, price_the_model
from usage.tests.events import take as send
from usage.tests.leasing import hard

pytestmark = pytest.mark.django_db(transaction=True)
CALL = Request(workflow="briefs", provider="acme", model="test-model", input_tokens=1000, output_tokens=100)
COST = 3_000_000


class Server:
    """Our API, asked as a client of the SDK asks; `fail_mode` and `held` are that client's."""

    fail_mode, held = "block", None

    def __init__(self, key: str) -> None:
        self.key = key

    def post(self, path, body, *, seconds, idempotency=""):
        headers = {"authorization": f"Bearer {self.key}"} | ({"idempotency-key": idempotency} if idempotency else {})
        answer = Client().post(path, json.dumps(body), "application/json", headers=headers)
        return Answer(answer.status_code, {k.lower(): v for k, v in answer.items()}, answer.content)


def allowed(*leases, estimate=COST):
    return replace(decide_without_bundle(CALL, "allow"), estimated_cost_nano=estimate, leases=leases)


@pytest.fixture
def key():
    with changing_configuration():
        price_the_model()
    return make_key("Gateway", ["bundle"], source="gateway")[1]


def test_two_gateways_make_all_calls_that_a_budget_has_room_for_and_none_more(key):
    budget = hard(0.3, period="day")  # a hundred calls
    Budget.objects.update(due_at=timezone.now())
    evaluate_due()
    events, lock = [], threading.Lock()

    def gateway(n: int) -> None:
        chance, leases = random.Random(n), Leases(Server(key), name=f"gateway-{n}")
        for k in range(100):
            decision = leases.enforce(CALL, allowed({"kind": "money", "budget": budget.slug}))
            if not decision.allowed:
                assert decision.reasons[-1].code == "lease_money"
                break
            lease = " ".join(one["lease_id"] for one in decision.leases)
            if chance.random() < 0.1:
                leases.settle(decision, made=False)
                continue
            leases.settle(decision, cost_nano=COST)
            event = an_event(f"{n}-{k}", workflow="briefs", time=timezone.now().isoformat(), lease_id=lease)
            with lock:
                events.append(event)
                send(events[-1:], now=timezone.now())
        leases.close()

    at_once(partial(gateway, 1), partial(gateway, 2))
    for n in (3, 4, 5):  # what those before gave back: ends of slices, each too short for a call
        gateway(n)
    assert len(events) == 100
    evaluate_due(), fold_leases()
    state = BudgetState.objects.get(budget=budget, ends_at__gt=timezone.now())
    assert (state.spent, state.limit) == (100 * COST, int(0.3 * NANO))
    assert holdings(budget, timezone.now()) == []
    assert {"gateway-1", "gateway-2"} <= set(Lease.objects.values_list("client", flat=True))
    assert not Lease.objects.filter(released_at=None).exists()
    assert check_ledger() == []


def test_what_is_not_limited_is_called_without_a_lease_and_what_is_paused_is_not(key):
    workflow = Workflow.objects.create(slug="briefs", name="Briefs")
    leases = Leases(Server(key), name="gateway")
    calls = allowed({"kind": "calls", "workflow": "briefs"})
    free = leases.enforce(CALL, calls)
    assert free.allowed
    assert all("lease_id" not in one for one in free.leases)
    Workflow.objects.filter(pk=workflow.pk).update(paused_at=timezone.now(), guardrails={"max_requests_per_minute": 5})
    stopped = Leases(Server(key), name="gateway").enforce(CALL, calls)
    assert (stopped.allowed, stopped.reasons[-1].code) == (False, "workflow_paused")


def test_a_call_draws_on_money_calls_and_tokens_together(key):
    limits = {"max_requests_per_minute": 5, "daily_tokens": {"production": 10_000}}
    Workflow.objects.create(slug="briefs", name="Briefs", guardrails=limits)
    budget = hard(1, period="day")
    Budget.objects.update(due_at=timezone.now())
    evaluate_due()
    leases = Leases(Server(key), name="gateway")
    decision = leases.enforce(
        CALL,
        allowed(
            {"kind": "calls", "workflow": "briefs"},
            {"kind": "tokens", "workflow": "briefs", "environment": "production"},
            {"kind": "money", "budget": budget.slug},
        ),
    )
    assert decision.allowed
    named = " ".join(one["lease_id"] for one in decision.leases)
    send(an_event("a", workflow="briefs", time=timezone.now().isoformat(), lease_id=named), now=timezone.now())
    fold_leases()
    assert dict(Lease.objects.values_list("kind", "spent")) == {"calls": 0, "tokens": 1_100, "money": COST}
    leases.settle(decision, cost_nano=COST, tokens=1_100)
    leases.close()
    assert not Lease.objects.filter(released_at=None).exists()
    assert check_ledger() == []
