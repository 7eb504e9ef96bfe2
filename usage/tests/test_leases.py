"""Leases on PostgreSQL with real intake: taken, spent, given back, exact."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from budgets.leases.fold import fold_leases, forget_leases
from budgets.leases.release import Over, release, renew
from budgets.leases.take import NothingFree, NotLeased, Unknown, Wish, take
from budgets.limits.edit import change_budget, values_of
from budgets.limits.evaluate import evaluate_due
from budgets.models import NANO, Budget, Lease, LeaseCharge, Organisation, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import ACTOR, a_budget
from usage.ledger.check import check_ledger
from usage.models import LedgerEntry
from usage.rollups.fold import fold_all
from usage.tests.events import NOW, an_event, price_the_model
from usage.tests.events import take as send
from usage.tests.leasing import A_CALL, hard, limited, money, reserved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def priced():
    with changing_configuration():
        price_the_model()


def test_a_slice_is_a_twentieth_of_what_is_free_and_no_two_overlap():
    budget = hard(1)
    first, second = money(budget), money(budget)
    assert first.lease.amount == NANO // 20
    assert first.remaining == NANO - NANO // 20
    assert second.lease.amount == -(-first.remaining // 20)
    assert reserved(budget) == first.lease.amount + second.lease.amount
    assert first.lease.expires_at == NOW + timedelta(seconds=60)


def test_what_was_charged_counts_at_once_folded_or_not():
    budget = hard(1)
    send([an_event(f"e{n}") for n in range(10)])
    assert money(budget, 1).lease.amount == NANO - 10 * A_CALL
    with pytest.raises(NothingFree) as none:
        money(budget)
    assert none.value.code == "all-reserved"
    evaluate_due(now=NOW)
    later = NOW + timedelta(minutes=7)
    assert money(budget, 1, later).lease.amount == NANO - 10 * A_CALL


def test_a_leased_call_moves_its_cost_from_reserved_to_spent():
    budget = hard(1)
    lease = money(budget, 0.5).lease
    for fold in (False, True):
        send(an_event(f"e{fold}", lease_id=lease.key))
        if fold:
            assert fold_leases() == 1
            assert not LeaseCharge.objects.exists()
    assert reserved(budget) == NANO // 2 - 2 * A_CALL
    assert money(budget, 1).lease.amount == NANO // 2
    send(an_event("eTrue", lease_id=lease.key))  # sent again
    assert reserved(budget) == NANO - 2 * A_CALL
    assert check_ledger() == []


def test_what_is_given_back_is_free_but_for_what_is_on_its_way():
    budget = hard(1)
    lease = money(budget, 0.5).lease
    send(an_event("a", lease_id=lease.key))
    release(lease, 3 * A_CALL, NOW)
    assert reserved(budget) == 2 * A_CALL
    release(lease, 300 * A_CALL, NOW)  # the first word counts
    send(an_event("b", lease_id=lease.key))
    assert reserved(budget) == A_CALL
    assert reserved(budget, NOW + timedelta(seconds=299)) == A_CALL
    assert reserved(budget, NOW + timedelta(seconds=300)) == 0
    send(an_event("late", lease_id=lease.key))
    assert check_ledger() == []


def test_a_dead_caller_holds_its_slice_until_its_events_had_time_to_arrive():
    budget = hard(1)
    money(budget, 1)
    for seconds, free in ((59, 0), (359, 0), (360, NANO)):
        now = NOW + timedelta(seconds=seconds)
        assert NANO - reserved(budget, now) == free
    assert money(budget, 1, NOW + timedelta(seconds=360)).lease.amount == NANO


def test_it_goes_on_while_it_runs_and_no_longer():
    budget = hard(1)
    lease = money(budget, 0.5).lease
    later = renew(lease, NOW + timedelta(seconds=50))
    assert later.expires_at == NOW + timedelta(seconds=110)
    with pytest.raises(Over):
        renew(lease, NOW + timedelta(seconds=110))
    release(lease, 0, NOW + timedelta(seconds=100))
    with pytest.raises(Over):
        renew(lease, NOW + timedelta(seconds=101))


def test_a_limit_lowered_below_gives_and_renews_nothing_until_it_is_above_again():
    budget = hard(1)
    lease = money(budget, 0.5).lease
    lower(budget, NANO // 4)
    with pytest.raises(NothingFree):
        money(budget, 0.01)
    with pytest.raises(Over):
        renew(lease, NOW)
    lower(budget, NANO)
    assert money(budget, 1).lease.amount == NANO // 2
    assert renew(lease, NOW)


def lower(budget, amount):
    budget.refresh_from_db()
    change_budget(ACTOR, budget, replace(values_of(budget), amount=amount))
    Budget.objects.filter(pk=budget.pk).update(action_settings={"hard": True})


def test_less_than_one_call_needs_is_not_given():
    budget = hard(1)
    money(budget, 0.9)
    with pytest.raises(NothingFree) as none:
        money(budget, at_least=NANO // 5)
    assert (none.value.code, none.value.free) == ("all-reserved", NANO // 10)
    assert money(budget, at_least=NANO // 10).lease.amount == NANO // 10


def test_spent_is_said_with_when_it_begins_anew():
    budget = hard(1)
    send([an_event(f"e{n}", input_tokens=100_000) for n in range(6)])
    with pytest.raises(NothingFree) as none:
        money(budget)
    assert (none.value.code, none.value.free) == ("nothing-left", 0)
    assert none.value.resets_at == none.value.retry_at == NOW.replace(month=12, day=1, hour=0)


def test_only_a_hard_budget_that_is_active_is_reserved():
    soft, paused = a_budget(NANO, "Soft", NOW), hard(1, "Paused")
    Budget.objects.filter(pk=paused.pk).update(status="paused")
    for budget in (soft, paused):
        with pytest.raises(NotLeased) as said:
            money(budget)
        assert said.value.code == "no-lease-needed"
    with pytest.raises(Unknown):
        take(Wish("money", "nobody"), now=NOW)


def test_a_period_that_just_began_is_judged_at_once_and_the_last_ones_leases_count_in_both():
    budget = hard(1, period="day")
    before, after = NOW.replace(hour=23, minute=59, second=30), NOW.replace(day=19, hour=0, minute=0)
    lease = money(budget, 0.7, before).lease
    assert lease.expires_at == after
    assert money(budget, 1, after).lease.amount == int(0.3 * NANO)
    send(an_event("a", time=after.isoformat(), lease_id=lease.key), now=after)
    assert reserved(budget, after) == NANO - A_CALL
    assert check_ledger() == []


def test_one_that_waits_for_its_opening_is_not_guessed():
    budget = Budget.objects.create(
        slug="new", name="New", amount=NANO, on_exhausted="block", action_settings={"hard": True}, generation=5
    )
    with pytest.raises(NothingFree) as said:
        money(budget)
    assert said.value.code == "not-counted-yet"


def test_fixed_dates_that_are_over_reserve_nothing():
    day = NOW.date() - timedelta(days=9)
    budget = hard(1, period="fixed", starts_on=day, ends_on=day)
    with pytest.raises(NotLeased):
        money(budget)


@pytest.mark.parametrize("named", ["unknown-lease", "foreign"])
def test_a_call_that_does_not_draw_on_the_lease_is_counted_and_settles_nothing(named):
    limited()
    budget = hard(1, scope={"workflow": "briefs"})
    lease = money(budget, 0.5).lease
    send(an_event("a", workflow="other", lease_id=lease.key if named == "foreign" else named))
    assert not LeaseCharge.objects.exists()
    assert LedgerEntry.objects.get().lease_id is None
    assert reserved(budget) == NANO // 2
    assert check_ledger() == []


def test_a_call_draws_on_one_lease_of_each_budget_it_falls_under():
    limited()
    wide, narrow = hard(1), hard(1, "Narrow", scope={"workflow": "briefs"})
    leases = [money(wide, 0.5).lease, money(narrow, 0.5).lease, money(wide, 0.1).lease]
    send(an_event("a", workflow="briefs", lease_id=" ".join(one.key for one in leases)))
    assert LedgerEntry.objects.get().lease_id == f"{leases[0].key} {leases[1].key}"
    assert (reserved(wide), reserved(narrow)) == (int(0.6 * NANO) - A_CALL, NANO // 2 - A_CALL)
    assert check_ledger() == []


def test_calls_are_counted_by_the_minute_and_come_back_with_the_next():
    limited(max_requests_per_minute=10)
    wish = Wish("calls", "briefs", amount=7)
    first = take(wish, now=NOW)
    assert (first.lease.amount, first.remaining, first.lease.expires_at) == (7, 3, NOW + timedelta(minutes=1))
    assert take(wish, now=NOW).lease.amount == 3
    with pytest.raises(NothingFree) as none:
        take(wish, now=NOW + timedelta(seconds=20))
    assert none.value.retry_at == NOW + timedelta(minutes=1)
    release(first.lease, 5, NOW + timedelta(seconds=30))
    assert take(wish, now=NOW + timedelta(seconds=59)).lease.amount == 2
    assert take(wish, now=NOW + timedelta(minutes=1)).lease.amount == 7
    with pytest.raises(Over):
        renew(first.lease, NOW)


def test_a_task_types_own_limit_goes_first_and_counts_all_calls():
    limited(max_requests_per_minute=10, by_task_type={"extraction": {"max_requests_per_minute": 4}})
    take(Wish("calls", "briefs", amount=3), now=NOW)
    assert take(Wish("calls", "briefs", task_type="extraction", amount=9), now=NOW).lease.amount == 1


def test_tokens_of_the_day_are_the_ledgers_whoever_used_them_leased_or_not():
    workflow = limited(daily_tokens={"staging": 10_000})
    alias = Workflow.objects.create(slug="old", name="Old", status="merged", merged_into=workflow)
    send([an_event("a", workflow="briefs", environment="staging"), an_event("b", workflow="old")])
    send(an_event("c", workflow=alias.slug, environment="staging"))
    fold_all()
    send(an_event("d", workflow="briefs", environment="staging"))
    wish = Wish("tokens", "old", environment="staging", amount=9_000)
    lease = take(wish, now=NOW).lease
    assert lease.amount == 10_000 - 3 * 1_100
    send(an_event("e", workflow="old", environment="staging", lease_id=lease.key))
    with pytest.raises(NothingFree):
        take(wish, now=NOW)
    release(lease, 1_100, NOW)
    assert take(wish, now=NOW).lease.amount == 10_000 - 4 * 1_100
    assert check_ledger() == []


def test_the_policy_limits_tokens_where_the_workflow_does_not(monkeypatch):
    from budgets.leases import counted

    limited(daily_tokens={"staging": 500})
    monkeypatch.setattr(counted, "_daily", lambda: {"*": 2_000, "staging": 9_000})
    asked = {env: take(Wish("tokens", "briefs", environment=env, amount=10**6), now=NOW).lease.amount
             for env in ("staging", "dev")}  # fmt: skip
    assert asked == {"staging": 500, "dev": 2_000}
    with pytest.raises(NotLeased):
        take(Wish("tokens", "briefs", environment="production"), now=NOW)


def test_a_day_is_the_organisations():
    Organisation.objects.update(time_zone="Asia/Kolkata")
    limited(daily_tokens={"production": 5_000})
    lease = take(Wish("tokens", "briefs"), now=NOW).lease
    assert lease.window_start.isoformat() == "2026-11-17T18:30:00+00:00"
    assert lease.window_end.isoformat() == "2026-11-18T18:30:00+00:00"


def test_a_paused_workflow_gets_nothing():
    workflow = limited(max_requests_per_minute=10)
    Workflow.objects.filter(pk=workflow.pk).update(paused_at=timezone.now())
    with pytest.raises(NotLeased) as said:
        take(Wish("calls", "briefs"), now=NOW)
    assert said.value.code == "workflow-paused"


def test_leases_are_forgotten_three_days_after_they_reserved_anything():
    budget = hard(1)
    lease = money(budget, 0.5).lease
    assert forget_leases(lease.held_until + timedelta(days=3)) == 0
    assert forget_leases(lease.held_until + timedelta(days=3, seconds=1)) == 1
    assert not Lease.objects.exists()


def test_a_lease_under_a_task_types_own_limit_is_renewed():
    """Nobody says of which task type the calls are that a lease goes on for."""
    limited(daily_tokens={"production": 5_000}, by_task_type={"extraction": {"daily_tokens": {"production": 9_000}}})
    lease = take(Wish("tokens", "briefs", task_type="extraction", amount=8_000), now=NOW).lease
    assert renew(lease, NOW + timedelta(seconds=30)).expires_at > lease.expires_at
    Workflow.objects.update(guardrails={"by_task_type": {"extraction": {"daily_tokens": {"production": 7_000}}}})
    with pytest.raises(Over, match="below"):
        renew(lease, NOW + timedelta(seconds=60))
    Workflow.objects.update(guardrails={"by_task_type": {"extraction": {"daily_tokens": {"staging": 7_000}}}})
    with pytest.raises(Over, match="not limited"):
        renew(lease, NOW + timedelta(seconds=60))
