"""Evaluation one at a time: thresholds, periods, carry-over, what is published. Races are in test_evaluate_races."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from budgets.limits import thresholds
from budgets.limits.edit import pause_budget, resume_budget
from budgets.limits.evaluate import evaluate_due
from budgets.models import Budget, BudgetSeries, BudgetState, Organisation
from budgets.tests.made import ACTOR, NOW, a_budget, at, charge, holds, spend, state, told

pytestmark = pytest.mark.django_db

amounts = st.integers(-(10**15), 10**18)
limits = st.integers(1, 10**18)
percents = st.lists(st.integers(1, 1000), max_size=6)


@given(amounts, limits, percents)
def test_thresholds_are_inclusive_at_any_size(spent, limit, wanted):
    found = thresholds.crossed(spent, limit, wanted)
    assert set(found) == {one for one in wanted if Decimal(spent) / limit >= Decimal(one) / 100}
    assert (thresholds.status(spent, limit, max(found, default=0)) == "exhausted") == (spent >= limit)


@given(amounts, limits)
def test_remaining_steps_never_say_more_than_there_is(spent, limit):
    steps = thresholds.remaining_steps(spent, limit)
    assert 0 <= steps <= 20
    assert steps * limit <= max(0, (limit - spent) * 20)
    assert (steps == 20) == (spent <= 0)


@given(limits, amounts, limits, st.decimals(0, 1, places=3))
def test_no_more_is_carried_over_than_the_rest_and_the_share(limit, spent, amount, share):
    carried = thresholds.carried_over(limit, spent, amount, share)
    assert 0 <= carried <= max(0, limit - spent)
    assert carried <= share * amount
    assert carried == max(0, limit - spent) or carried == int(share * amount)


def test_exactly_eighty_percent_crosses_eighty():
    budget = a_budget(1000, thresholds=(80, 100))
    assert spend(budget, 799).status == "under"
    assert told(budget) == []
    after = spend(budget, 1)
    assert (after.spent, after.crossed, after.status) == (800, 80, "warning")
    assert told(budget) == [("2026-11-01", "crossed", 80, 1)]
    assert spend(budget, 199).status == "warning"
    assert spend(budget, 1).status == "exhausted"
    assert told(budget)[1:] == [("2026-11-01", "crossed", 100, 1)]
    holds(budget)


def test_a_leap_tells_each_threshold_once_and_never_again():
    budget = a_budget(100, thresholds=(50, 80, 100, 120))
    spend(budget, 119)
    for _ in range(3):
        spend(budget, 0)
    spend(budget, 1)
    assert [row[2] for row in told(budget)] == [50, 80, 100, 120]


def test_exhausted_at_the_limit_even_where_that_is_no_threshold():
    budget = a_budget(100, thresholds=(150,))
    assert spend(budget, 100).status == "exhausted"
    assert told(budget) == []


def test_a_correction_that_brings_it_back_under_is_told_once():
    budget = a_budget(100, thresholds=(50, 100))
    spend(budget, 100)
    after = spend(budget, -40)
    assert (after.spent, after.crossed, after.status) == (60, 50, "warning")
    assert told(budget)[2:] == [("2026-11-01", "resolved", 100, 1)]
    spend(budget, -60)
    assert told(budget)[3:] == [("2026-11-01", "resolved", 50, 1)]
    spend(budget, 0)
    assert len(told(budget)) == 4


def test_a_paused_budget_counts_in_silence_and_speaks_when_resumed():
    budget = a_budget(100, thresholds=(50,))
    pause_budget(ACTOR, budget)
    assert spend(budget, 70).spent == 70
    assert told(budget) == []
    resume_budget(ACTOR, budget)
    evaluate_due(now=NOW + timedelta(seconds=1))
    assert [row[1:3] for row in told(budget)] == [("crossed", 50)]


def test_a_charge_counts_in_the_period_of_its_quarter_hour():
    budget = a_budget(1000, period="day")
    for when in ("2026-11-21T23:59Z", "2026-11-22T00:00Z", "2026-11-22T23:45Z", "2026-11-23T00:00Z"):
        charge(budget, 10, at(when))
    evaluate_due(now=NOW)
    days = {str(one.period_start): one.spent for one in BudgetState.objects.filter(budget=budget)}
    assert days == {"2026-11-21": 10, "2026-11-22": 20, "2026-11-23": 10}
    holds(budget)


@pytest.mark.parametrize(
    ("zone", "last_of_october", "first_of_november"),
    [
        ("Asia/Kathmandu", "2026-10-31T18:00Z", "2026-10-31T18:15Z"),
        ("Asia/Kolkata", "2026-10-31T18:15Z", "2026-10-31T18:30Z"),
        ("America/New_York", "2026-11-01T03:45Z", "2026-11-01T04:00Z"),
    ],
)
def test_months_begin_where_the_organisation_is(zone, last_of_october, first_of_november):
    Organisation.objects.update(time_zone=zone)
    budget = a_budget(1000)
    charge(budget, 1, at(last_of_october))
    charge(budget, 2, at(first_of_november))
    evaluate_due(now=NOW)
    assert {str(one.period_start): one.spent for one in budget.states.all()} == {"2026-10-01": 1, "2026-11-01": 2}


def test_the_day_of_the_clock_change_has_twenty_five_hours():
    Organisation.objects.update(time_zone="Europe/Berlin")
    now = at("2026-10-25T12:00Z")
    budget = a_budget(1000, period="day", now=now)
    for hour in range(26):
        charge(budget, 1, at("2026-10-24T22:00Z") + timedelta(hours=hour))
    evaluate_due(now=now)
    assert state(budget, now).spent == 25
    assert state(budget, at("2026-10-26T01:00Z")).spent == 1


def test_fixed_dates_are_one_period_and_ignore_what_lies_outside():
    budget = a_budget(100, period="fixed", starts_on=at("2026-11-20").date(), ends_on=at("2026-11-25").date())
    for when in ("2026-11-20T00:00Z", "2026-11-25T23:59Z", "2026-11-26T00:00Z"):
        charge(budget, 10, at(when))
    evaluate_due(now=NOW)
    assert [one.spent for one in budget.states.all()] == [20]
    budget.refresh_from_db()
    assert budget.due_at == at("2026-11-26T00:00Z")
    version = Organisation.get().state_version
    done = evaluate_due(now=at("2026-11-26T00:00:01Z"))
    assert done.published_change and Organisation.get().state_version == version + 1
    budget.refresh_from_db()
    assert budget.due_at is None
    assert evaluate_due(now=at("2027-11-26T00:00Z")).budget_ids == ()


def test_a_budget_rolls_over_without_any_charge():
    budget = a_budget(100, thresholds=(100,), on_exhausted="block")
    spend(budget, 100)
    assert evaluate_due(now=at("2026-11-30T23:59:59Z")).budget_ids == ()
    done = evaluate_due(now=at("2026-12-01T00:00Z"))
    assert done.budget_ids == (budget.pk,) and done.published_change and done.urgent
    december = state(budget, at("2026-12-01T00:00Z"))
    assert (december.spent, december.limit, december.status) == (0, 100, "under")
    assert state(budget).status == "exhausted"
    assert len(told(budget)) == 1


def test_late_usage_goes_to_its_own_period_and_its_limit_is_history():
    budget = a_budget(100, thresholds=(100,))
    spend(budget, 60)
    december = at("2026-12-10T08:00Z")
    evaluate_due(now=december)
    Budget.objects.filter(pk=budget.pk).update(amount=500, limit_version=2)
    charge(budget, 40, NOW)
    charge(budget, 7, december)
    evaluate_due(now=december)
    assert (state(budget).spent, state(budget).limit, state(budget).limit_version) == (100, 100, 1)
    assert (state(budget, december).spent, state(budget, december).limit) == (7, 500)
    assert told(budget) == [("2026-11-01", "crossed", 100, 1)]
    holds(budget)


def test_charges_before_what_the_budget_keeps_are_not_kept():
    budget = a_budget(100)
    charge(budget, 10, at("2026-09-30T23:59Z"))
    charge(budget, 20, at("2026-10-01T00:00Z"))
    evaluate_due(now=NOW)
    assert [one.amount for one in BudgetSeries.objects.filter(budget=budget)] == [20]
    holds(budget)


def test_an_unspent_rest_is_carried_over_up_to_the_share():
    budget = a_budget(1000, carry_over=Decimal("0.25"))
    charge(budget, 900, at("2026-10-05T00:00Z"))
    assert spend(budget, 1).limit == 1100
    charge(budget, -500, at("2026-10-05T00:00Z"))
    evaluate_due(now=NOW)
    assert state(budget).limit == 1250
    charge(budget, 2000, at("2026-10-05T00:00Z"))
    evaluate_due(now=NOW)
    assert state(budget).limit == 1000
    assert state(budget, at("2026-10-05T00:00Z")).spent == 2400


def test_nothing_is_carried_over_from_a_running_period_or_from_before_the_budget_was_made():
    budget = a_budget(1000, carry_over=Decimal(1), period="day")
    charge(budget, 1, NOW + timedelta(hours=20))
    evaluate_due(now=NOW)
    assert state(budget, NOW + timedelta(hours=20)).limit == 1000
    assert state(budget).limit == 2000
    evaluate_due(now=NOW + timedelta(days=1))
    assert state(budget, NOW + timedelta(days=1)).limit == 2000
    young = a_budget(1000, carry_over=Decimal(1), name="Young")
    Budget.objects.filter(pk=young.pk).update(created_at=at("2026-11-01T00:00Z"))
    assert spend(young, 1).limit == 1000


def test_after_a_standstill_over_periods_the_history_has_no_holes():
    budget = a_budget(100, carry_over=Decimal("0.5"), period="day")
    spend(budget, 30)
    later = NOW + timedelta(days=4)
    done = evaluate_due(now=later)
    assert done.budget_ids == (budget.pk,)
    rows = [(str(one.period_start), one.limit) for one in budget.states.order_by("period_start")]
    assert rows == [
        ("2026-11-21", 100),
        ("2026-11-22", 150),
        ("2026-11-23", 150),
        ("2026-11-24", 150),
        ("2026-11-25", 150),
        ("2026-11-26", 150),
    ]


def test_only_what_the_bundle_says_makes_a_new_state_version():
    budget = a_budget(1000, on_exhausted="block", thresholds=(50,))
    evaluate_due(now=NOW)
    version = Organisation.get().state_version
    charge(budget, 1)
    assert evaluate_due(now=NOW).published_change  # 20 twentieths are left no more
    charge(budget, 49)
    assert not evaluate_due(now=NOW).published_change
    charge(budget, 1)
    assert evaluate_due(now=NOW).published_change
    assert Organisation.get().state_version == version + 2
    charge(budget, 948)
    assert not evaluate_due(now=NOW).urgent
    charge(budget, 1)
    assert evaluate_due(now=NOW).urgent
    charge(budget, 100)
    assert not evaluate_due(now=NOW).published_change
    charge(budget, -101)
    assert evaluate_due(now=NOW).urgent


def test_budgets_that_only_tell_are_never_urgent():
    budget = a_budget(100, on_exhausted="alert")
    charge(budget, 100)
    done = evaluate_due(now=NOW)
    assert done.published_change and not done.urgent


def test_the_number_of_statements_does_not_grow_with_the_number_of_budgets():
    for n in range(3):
        spend(a_budget(100, name=f"B{n}"), 1)

    def statements(budgets: int) -> int:
        for budget in Budget.objects.order_by("id")[:budgets]:
            charge(budget, 10)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert len(evaluate_due(now=NOW).budget_ids) == budgets
        return len([one for one in captured if "SAVEPOINT" not in one["sql"]])

    # Due; lock of the configuration, lock of the rows, organisation, fold, states, written states, state version; due.
    assert statements(1) == statements(3) == 9
    for n in range(20):
        spend(a_budget(100, name=f"C{n}"), 1)
    assert statements(23) == 9
    with CaptureQueriesContext(connection) as captured:
        assert evaluate_due(now=NOW).budget_ids == ()
    assert len(captured) == 1
