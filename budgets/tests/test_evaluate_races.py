"""Evaluation while writers write, editors edit and other evaluators evaluate: exact, and each crossing once."""

import random
import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction

from budgets.limits import folding
from budgets.limits.calendar import quarter_hour
from budgets.limits.charges import Charge, statement_of
from budgets.limits.edit import change_budget, values_of
from budgets.limits.evaluate import evaluate_due
from budgets.limits.folding import lock
from budgets.models import BudgetCharge, BudgetSeries, BudgetState, Crossing
from budgets.organisation.configuration import HOLD_CONFIGURATION
from budgets.tests.made import ACTOR, NOW, a_budget, at_once, charge, holds, state, told

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_writers_who_cross_only_together_are_one_crossing():
    """Each commits, then evaluates: neither alone reaches the threshold, whoever comes second must see both.

    They charge other quarter hours, so that no row but the budget's brings them in order.
    """
    for round_ in range(30):
        budget = a_budget(100, name=f"Round {round_}", thresholds=(80,))
        evaluate_due(now=NOW)

        def write_and_evaluate(minutes, budget=budget):
            charge(budget, 40, NOW - timedelta(minutes=minutes))
            evaluate_due(now=NOW)

        at_once(partial(write_and_evaluate, 0), partial(write_and_evaluate, 15))
        assert told(budget) == [("2026-11-01", "crossed", 80, 1)]
        assert state(budget).spent == 80
        holds(budget)


def test_what_another_evaluator_left_is_found_without_a_sweep():
    """A holds the budget while B, told of a new charge, finds it held and leaves: A's second look folds that charge."""
    budget = a_budget(100, thresholds=(50,))
    charge(budget, 10)
    held, go_on = threading.Event(), threading.Event()
    real, first = folding.fold, threading.local()

    def slow(cursor, ids):
        folded = real(cursor, ids)
        if getattr(first, "is_a", False):
            first.is_a = False
            held.set()
            assert go_on.wait(30)
        return folded

    def a():
        first.is_a = True
        return evaluate_due(now=NOW)

    def b():
        assert held.wait(30)
        charge(budget, 45)
        assert evaluate_due(now=NOW).budget_ids == ()
        go_on.set()

    folding.fold = slow
    try:
        at_once(a, b)
    finally:
        folding.fold = real
    assert state(budget).spent == 55
    assert [row[2] for row in told(budget)] == [50]
    holds(budget)


def test_eight_writers_and_three_evaluators_lose_and_repeat_nothing():
    budgets = [a_budget(1_000, name=f"B{n}", thresholds=(10, 20, 30, 50, 80, 100)) for n in range(6)]
    moments = [NOW - timedelta(hours=n) for n in range(600)]  # back into October
    spent = {budget.pk: 0 for budget in budgets}
    counting = threading.Lock()
    writing = threading.Semaphore(0)

    def write(seed):
        chance = random.Random(seed)
        for _ in range(60):
            some = chance.sample(budgets, 3)
            charges = [Charge(one.pk, quarter_hour(chance.choice(moments)), chance.randint(-3, 9), 1) for one in some]
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(HOLD_CONFIGURATION)
                cursor.execute(*statement_of(charges))
                if chance.random() < 0.1:
                    transaction.set_rollback(True)
                    continue
            with counting:
                for one in charges:
                    spent[one.budget_id] += one.amount
        writing.release()

    def evaluate():
        while not writing.acquire(blocking=False):
            evaluate_due(now=NOW)
        writing.release()

    at_once(*[partial(write, seed) for seed in range(8)], evaluate, evaluate, evaluate)
    evaluate_due(now=NOW)
    for budget in budgets:
        assert sum(BudgetSeries.objects.filter(budget=budget).values_list("amount", flat=True)) == spent[budget.pk]
        assert sum(BudgetState.objects.filter(budget=budget).values_list("spent", flat=True)) == spent[budget.pk]
        holds(budget)
        crossings = list(
            Crossing.objects.filter(budget=budget, kind="crossed").values_list("period_start", "threshold")
        )
        assert len(crossings) == len(set(crossings))
        now = state(budget)
        assert {percent for first, percent in crossings if first == now.period_start} >= {
            percent for percent in budget.thresholds if now.spent * 100 >= now.limit * percent
        }


def test_edits_of_the_amount_while_others_write_and_evaluate_do_not_deadlock():
    budgets = [a_budget(1_000, name=f"B{n}", thresholds=(50, 100)) for n in range(4)]
    done = threading.Semaphore(0)

    def write():
        for n in range(80):
            charge(budgets[n % 4], 5)
        done.release()

    def evaluate():
        while not done.acquire(blocking=False):
            evaluate_due(now=NOW)
        done.release()

    def edit():
        for n in range(12):
            budget = budgets[n % 4]
            budget.refresh_from_db()
            change_budget(ACTOR, budget, replace(values_of(budget), amount=1_000 + n))

    at_once(write, write, evaluate, evaluate, edit)
    evaluate_due(now=NOW)
    for budget in budgets:
        assert BudgetSeries.objects.filter(budget=budget).count() == 1
        assert state(budget).spent == 200
        holds(budget)


def test_a_budget_held_by_another_is_left_and_the_rest_is_done():
    held, free = a_budget(100, name="Held"), a_budget(100, name="Free")
    charge(held, 1)
    charge(free, 1)
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic(), connection.cursor() as cursor:
            assert [one.id for one in lock(cursor, [held.pk], NOW)] == [held.pk]
            inside.set()
            assert leave.wait(30)

    def evaluate():
        assert inside.wait(30)
        try:
            return evaluate_due(now=NOW).budget_ids
        finally:
            leave.set()

    assert at_once(hold, evaluate)[1] == (free.pk,)
    assert list(BudgetCharge.objects.values_list("budget_id", flat=True)) == [held.pk]
    assert evaluate_due(now=NOW).budget_ids == (held.pk,)
