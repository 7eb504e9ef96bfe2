"""The arithmetic of what a bundle says."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from routing.bundle.content import amount_text, decimal_text, remaining_percent, urgent_facts


@pytest.mark.parametrize(
    ("limit", "spent", "left"),
    [(100, 0, 100), (100, 1, 95), (100, 5, 95), (100, 6, 90), (100, 96, 0), (100, 100, 0), (100, 250, 0),
     (100, -50, 100), (0, 0, 0), (3, 1, 65), (10**18, 1, 95)],
)  # fmt: skip
def test_remaining_is_rounded_down_to_five_percent(limit, spent, left):
    assert remaining_percent(limit, spent) == left


@given(some.integers(1, 2**62), some.integers(-(2**62), 2**63))
def test_remaining_never_says_more_than_there_is(limit, spent):
    left = remaining_percent(limit, spent)
    assert left % 5 == 0 and 0 <= left <= 100
    assert left * limit <= max(0, limit - spent) * 100
    assert left == 100 or (left + 5) * limit > (limit - spent) * 100


@pytest.mark.parametrize(
    ("value", "text"),
    [("15.00000000", "15"), ("0.10000000", "0.1"), ("0", "0"), ("0E-8", "0"), ("100", "100"), ("1E+3", "1000"),
     ("0.00000001", "0.00000001")],
)  # fmt: skip
def test_decimal_text(value, text):
    assert decimal_text(Decimal(value)) == text


def test_amounts():
    assert amount_text(1_200_500_000_000, "money") == "1200.5"
    assert amount_text(1, "money") == "0.000000001"
    assert amount_text(9_223_372_036_854_775_807, "money") == "9223372036.854775807"
    assert amount_text(1_000_000, "tokens") == "1000000"


def facts(paused=False, status="under", action="block", blocked=()):
    budget = {"slug": "b", "status": status, "on_exhausted": action}
    return urgent_facts({"workflows": {"w": {"paused": paused}}, "budgets": [budget], "blocked": list(blocked)})


def test_what_is_urgent():
    block = {"scope": {"workflow": "w"}, "code": "workflow_paused"}
    assert facts() == facts(status="warning")
    assert len({facts(), facts(paused=True), facts(status="exhausted"), facts(blocked=[block])}) == 4
    assert facts(status="exhausted") != facts(status="exhausted", action="downgrade")
    assert urgent_facts({"policy": {"version": 2}}) != urgent_facts({"policy": {"version": 3}})
    assert urgent_facts({}) == frozenset()
