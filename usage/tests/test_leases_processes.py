"""Spent + reserved never exceed a hard limit: real processes on PostgreSQL, killed at any moment, and a plain sum."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction
from django.utils import timezone

from budgets.leases.fold import fold_leases
from budgets.leases.release import release
from budgets.leases.take import NothingFree, Wish, take
from budgets.limits.edit import BudgetValues, change_budget, create_budget, values_of
from budgets.limits.evaluate import evaluate_due
from budgets.limits.opening import open_budgets
from budgets.models import NANO, Budget, BudgetState, Lease, LeaseCharge, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR, at_once
from usage.ledger.check import check_ledger
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, a_sender, price_the_model

SECONDS = 9
SEED = 20261118
LIMIT = NANO // 4
SEEN = """
SELECT clock_timestamp(), (SELECT amount FROM budgets_budget WHERE id = %(id)s),
    (SELECT coalesce(json_agg(json_build_array(l.lease_id, l.cost)), '[]') FROM usage_ledger l
        JOIN budgets_workflow w ON w.id = l.workflow_id WHERE w.slug = %(slug)s),
    (SELECT coalesce(json_agg(json_build_array(key, amount, used, held_until)), '[]') FROM budgets_lease
        WHERE budget_id = %(id)s)
"""


class Seen:
    """One moment of one budget, from its ledger rows and leases alone: no charge, sum or state of ours is asked."""

    def __init__(self, budget: Budget) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SEEN, {"id": budget.pk, "slug": budget.slug})
            now, self.limit, calls, leases = cursor.fetchone()
        charged: Counter[str] = Counter()
        for key, cost in as_list(calls):
            charged[key] += cost
        self.calls = len(as_list(calls))
        self.spent = charged.total()
        self.reserved = self.excess = 0
        for key, amount, used, held_until in as_list(leases):
            self.excess += max(0, charged[key] - amount)
            if datetime.fromisoformat(held_until) > now:
                promised = amount if used is None else min(used, amount)
                self.reserved += max(0, promised - charged[key])

    @property
    def over(self) -> int:
        """Beyond the limit, but for what calls cost more than they had reserved; negative while there is room."""
        return self.spent + self.reserved - self.limit - self.excess


def as_list(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def hard(name: str, amount: int) -> Budget:
    Workflow.objects.create(slug=name, name=name, status="production")
    values = BudgetValues(name=name, slug=name, amount=amount, scope={"workflow": name}, on_exhausted="block")
    budget = create_budget(ACTOR, values)
    open_budgets(lambda openings: [])
    Budget.objects.filter(pk=budget.pk).update(action_settings={"hard": True})
    evaluate_due()
    return budget


def with_limit(budget: Budget, amount: int) -> None:
    budget.refresh_from_db()
    with transaction.atomic():
        change_budget(ACTOR, budget, replace(values_of(budget), amount=max(1, amount)))
        Budget.objects.filter(pk=budget.pk).update(action_settings={"hard": True})


def racers(*arguments: object) -> "subprocess.Popen[str]":
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "usage.tests.lease_racers", *map(str, arguments)],
        env={**os.environ, "DATABASE_URL": address}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.server
@pytest.mark.django_db(transaction=True)
def test_eight_gateways_killed_at_random_stay_within_the_limit_at_every_moment():
    with changing_configuration():
        price_the_model("1", "1")  # a token costs 1,000 nano-dollars
    strict, sloppy = hard("strict", LIMIT), hard("sloppy", LIMIT)
    race = racers(SECONDS, SEED, a_sender().source_id)
    looks, edits, ceiling = 0, 0, 0
    while race.poll() is None:
        seen = Seen(strict)
        # A limit that is lowered below what stands gives nothing, so what is beyond it only shrinks.
        ceiling = max(0, min(ceiling, seen.over))
        assert seen.over <= ceiling
        assert seen.excess == 0
        assert Seen(sloppy).over <= 0
        looks += 1
        time.sleep(0.01)
        if looks % 15 == 0:
            edits += 1
            standing = seen.spent + seen.reserved
            with_limit(strict, standing + (LIMIT // 5 if edits % 3 else -LIMIT // 20))
            ceiling = max(0, Seen(strict).over)
    said, faults = race.communicate(timeout=60)
    assert (race.returncode, faults) == (0, "")
    assert json.loads(said)["kills"] > 5
    # It was a race: limits were reached, moved, and calls cost more than was estimated.
    assert (looks > 40, edits > 2) == (True, True)
    ended, loose = Seen(strict), Seen(sloppy)
    assert min(ended.calls, loose.calls) > 15
    assert loose.excess > 0
    assert LIMIT // 4 < loose.spent <= LIMIT + loose.excess
    evaluate_due(), fold_leases(), fold_all()
    assert not LeaseCharge.objects.exists()
    states = dict(BudgetState.objects.filter(ends_at__gt=timezone.now()).values_list("budget__slug", "spent"))
    assert states == {"strict": ended.spent, "sloppy": loose.spent}
    assert check_ledger() == []


@pytest.mark.django_db(transaction=True)
def test_two_that_share_sixty_calls_a_minute_get_sixty_together():
    Workflow.objects.create(slug="ads", name="Ads", guardrails={"max_requests_per_minute": 60})
    made = [0, 0]

    def call(n: int) -> None:
        """Reserve seven at a time, make five of them, give two back; at the end one by one."""
        for wished, used in ((7, 5), (1, 1)):
            while True:
                try:
                    lease = take(Wish("calls", "ads", amount=wished), now=NOW).lease
                except NothingFree:
                    break
                made[n] += min(used, lease.amount)
                release(lease, min(used, lease.amount), NOW)

    at_once(partial(call, 0), partial(call, 1))
    call(0)
    assert sum(made) == 60
    assert sum(one.used for one in Lease.objects.all()) == 60


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_for_all_of_it_at_once_get_it_once():
    budget = hard("strict", NANO)
    got = at_once(*[partial(all_of, budget.slug)] * 8)
    assert sorted(got) == [0] * 7 + [NANO]
    day = Workflow.objects.create(slug="ads", name="Ads", guardrails={"daily_tokens": {"production": 10_000}})
    got = at_once(*[partial(all_of, day.slug, "tokens")] * 8)
    assert sorted(got) == [0] * 7 + [10_000]


def all_of(slug: str, kind: str = "money") -> int:
    try:
        return take(Wish(kind, slug, amount=2 * NANO)).lease.amount
    except NothingFree:
        return 0
