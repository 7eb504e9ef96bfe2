"""What leases were charged, against the ledger: corrections, withdrawals, batches without leases, the check."""

import random
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from budgets.grants.fold import fold_charges
from budgets.leases.fold import fold_leases
from budgets.leases.reading import standing_of_budget
from budgets.leases.release import release
from budgets.limits.evaluate import evaluate_due
from budgets.models import NANO, Budget, Grant, Lease, LeaseCharge
from budgets.organisation.configuration import changing_configuration
from usage.ledger import leased
from usage.ledger.check import check_ledger
from usage.ledger.withdraw import ensure_open_month, withdraw
from usage.models import LedgerEntry
from usage.prices import reprice
from usage.tests.events import NOW, an_event, price_the_model
from usage.tests.events import take as send
from usage.tests.leasing import A_CALL, hard, money, reserved
from usage.tests.test_grants import a_grant
from usage.tests.test_prices_reprice import rerun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def priced():
    with changing_configuration():
        price_the_model()


def test_re_pricing_and_withdrawing_move_it_back(monkeypatch):
    """What a correction adds, and what undoing an import takes away, the lease follows."""
    budget = hard(1)
    lease = money(budget, 0.5).lease
    send([an_event("a", lease_id=lease.key), an_event("b", lease_id=lease.key, model="unpriced-yet")])
    assert reserved(budget) == NANO // 2 - A_CALL
    with changing_configuration():
        price_the_model(model="unpriced-yet")
    monkeypatch.setattr(reprice.timezone, "now", lambda: NOW)
    rerun(only_unpriced=True)
    assert reserved(budget) == NANO // 2 - 2 * A_CALL
    batch = LedgerEntry.objects.get(event_id="a", kind=0).batch_id
    ensure_open_month()
    with transaction.atomic():
        assert withdraw([batch], 100).calls == 2
    assert reserved(budget) == NANO // 2
    fold_leases()
    assert reserved(budget) == NANO // 2
    assert check_ledger() == []


def test_a_lease_or_an_allowance_that_was_charged_wrongly_is_found():
    budget = hard(1)
    lease = money(budget, 0.5).lease
    send(an_event("a", lease_id=lease.key))
    assert check_ledger() == []
    LeaseCharge.objects.update(cost=A_CALL - 1)
    assert [(one.table, one.where) for one in check_ledger()] == [("budgets_lease", f"key={lease.key}")]
    fold_leases()
    assert [one.table for one in check_ledger()] == ["budgets_lease"]
    Lease.objects.update(spent=A_CALL)
    grant = a_grant(tier=1)
    send(an_event("g", workflow="briefs", grant_id=grant.key))
    send(an_event("foreign", workflow="other", grant_id=grant.key))
    assert check_ledger() == []
    fold_charges(NOW)
    assert check_ledger() == []
    Grant.objects.update(spent=1)
    assert [(one.table, one.where) for one in check_ledger()] == [("budgets_grant", f"key={grant.key}")]


@pytest.mark.parametrize("count", [1, 20])  # an INSERT, and COPY
def test_a_batch_that_names_no_lease_asks_nothing_about_leases(count, monkeypatch):
    def never(*_):
        raise AssertionError("asked for leases")

    budget = hard(1)
    monkeypatch.setattr(leased, "find_leases", never)
    send([an_event(f"e{n}") for n in range(count)])
    with pytest.raises(AssertionError, match="asked for leases"):
        send([an_event(f"f{n}", lease_id="x") for n in range(count)])
    assert not LeaseCharge.objects.exists()
    assert budget


def test_one_that_names_some_is_settled_through_copy_too():
    budget = hard(1)
    lease = money(budget, 0.5).lease
    send([an_event(f"e{n}", lease_id=lease.key if n % 2 else None) for n in range(20)])
    assert LeaseCharge.objects.count() == 1
    assert reserved(budget) == NANO // 2 - 10 * A_CALL
    assert check_ledger() == []


def test_one_that_is_given_back_and_settled_waits_for_nothing():
    """As real time goes: the fold has the database's clock."""
    budget = hard(1)
    now = timezone.now()
    Budget.objects.update(due_at=now)
    evaluate_due(now=now)
    unused, at_once, later, open_ = (money(budget, 0.1, None).lease for _ in range(4))
    assert release(unused, 0).held_until <= timezone.now()
    send(an_event("a", lease_id=at_once.key), now=now)
    assert release(at_once, A_CALL).held_until <= timezone.now()
    assert release(later, A_CALL).held_until > timezone.now()
    send([an_event("b", lease_id=later.key), an_event("c", lease_id=open_.key)], now=now)
    assert fold_leases() == 3
    held = Lease.objects.filter(held_until__gt=timezone.now())
    assert list(held) == [open_]
    assert reserved(budget, timezone.now()) == NANO // 10 - A_CALL
    assert check_ledger() == []


def test_the_statement_and_the_rule_say_the_same_of_any_leases():
    budget, chance = hard(1), random.Random(7)
    for n in range(200):
        lease = Lease.objects.create(
            key=f"k{n}", kind="money", budget=budget, amount=chance.randint(1, 1000), spent=chance.randint(-10, 1200),
            used=chance.choice([None, chance.randint(0, 1500)]), starts_at=NOW, expires_at=NOW + timedelta(seconds=60),
            held_until=NOW + timedelta(seconds=chance.choice([0, 1, 360])), window_start=NOW, window_end=NOW,
        )  # fmt: skip
        for _ in range(chance.randint(0, 2)):
            LeaseCharge.objects.create(lease=lease, cost=chance.randint(-50, 500), tokens=9**9, calls=1)
    with connection.cursor() as cursor:
        found = standing_of_budget(cursor, budget.pk, NOW)
    assert found.reserved == reserved(budget) > 0
    assert found.soonest == NOW + timedelta(seconds=1)
