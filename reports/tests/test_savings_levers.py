"""Each lever on a small ledger worked out by hand; two that meet; what cannot be known; the sums of the ledger."""

import pytest
import time_machine
from django.db import connection

from reports.savings.call import portion
from reports.savings.levers import BY_KEY, LEVERS
from reports.savings.result import read
from reports.tests.savings_ledger import BOTH_ALONE, BOTH_TOGETHER, NOW, SAVED, worked_out

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def run(lasting, django_db_blocker):
    with django_db_blocker.unblock(), time_machine.travel(NOW, tick=False):
        return worked_out()


@pytest.fixture
def found(run):
    assert (run.state, run.problem) == ("done", "")
    return read(run.result)


def test_every_lever_has_its_ledger():
    assert set(SAVED) == set(BY_KEY)
    assert [one.place for one in LEVERS] == sorted({one.place for one in LEVERS})


@pytest.mark.parametrize("key", SAVED)
def test_a_lever_alone(found, key):
    of = found.workflows[key]
    does = {name: (one.alone, one.together) for name, one in of.levers.items() if one.terms}
    assert does == {key: (SAVED[key], SAVED[key])}
    assert of.before - of.after == of.saved == SAVED[key]


def test_two_levers_together_are_not_their_sum(found):
    of = found.workflows["both"]
    does = {name: one for name, one in of.levers.items() if one.terms}
    assert {name: one.alone for name, one in does.items()} == BOTH_ALONE
    assert {name: one.together for name, one in does.items()} == BOTH_TOGETHER
    assert of.saved == 159_000_000 != sum(BOTH_ALONE.values())
    assert (of.before, of.after) == (309_000_000, 150_000_000)


def test_what_the_ledger_cannot_know_is_unknown(found):
    levers = found.workflows["retries"].levers
    unknown = {key for key, one in levers.items() if one.unknown}
    assert unknown == {"tools", "prompt-cache", "retrieval", "history", "semantic-cache"}
    assert all((one.alone, one.together, one.calls) == (0, 0, 0) for one in levers.values() if one.unknown)
    assert "prefix_hash" in levers["prompt-cache"].unknown
    assert "prompt-cache" not in found.workflows["tools"].levers  # stated, and nothing repeats: that is known


def test_what_has_no_price_is_in_no_sum(found):
    of = found.workflows["nothing-known"]
    assert (of.calls, of.unknown, of.before, of.after, of.saved) == (1, 1, 0, 0, 0)


def test_before_is_the_ledger(found):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.slug, sum(l.cost), count(*) FROM usage_ledger l JOIN budgets_workflow w ON w.id = l.workflow_id"
            " GROUP BY 1"
        )
        ledger = {slug: (int(cost or 0), calls) for slug, cost, calls in cursor.fetchall()}
    assert {slug: (of.before, of.calls) for slug, of in found.workflows.items()} == ledger
    assert all(of.cost == of.before for of in found.workflows.values())
    assert found.spent == sum(cost for cost, _ in ledger.values())
    assert (found.calls, found.taken) == (sum(calls for _, calls in ledger.values()),) * 2


def test_examples_are_the_calls_with_the_largest_saving(found):
    examples = found.workflows["answers"].levers["answers"].examples
    assert [(before, after) for _, before, after in examples] == [(12_000_000, 3_000_000)]
    assert len(found.workflows["batch"].levers["batch"].examples) == 10


@pytest.mark.parametrize(
    ("amount", "part", "whole", "expected"), [(3, 1, 2, 2), (1, 1, 2, 0), (10, 1, 3, 3), (11, 2, 3, 7)]
)
def test_parts_are_rounded_half_to_even(amount, part, whole, expected):
    assert portion(amount, part, whole) == expected
