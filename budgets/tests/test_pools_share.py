"""Sharing out, as arithmetic: to the last unit, nobody below their least, and said where that cannot be."""

import random
from fractions import Fraction

import pytest

from budgets.pools.share import Part, TooSmall, by_share, by_weight, even, largest_remainder


def part(key, weight, least=0):
    return Part(key, Fraction(weight), least)


def test_weights_share_everything_to_the_last_unit():
    given = by_weight(100, [part(1, 1), part(2, 1), part(3, 1)])
    assert given.amounts == {1: 34, 2: 33, 3: 33}
    assert given.held == frozenset()
    assert given.short == 0


def test_units_are_whole_cents_and_what_is_no_cent_stays():
    given = by_weight(1_000_000_007, [part(1, 1), part(2, 2)], unit=10_000_000)
    assert given.amounts == {1: 330_000_000, 2: 670_000_000}


def test_who_weighs_nothing_gets_its_least_and_at_least_a_unit():
    given = by_weight(100, [part(1, 0), part(2, 5), part(3, 0, least=20)])
    assert given.amounts == {1: 1, 2: 79, 3: 20}
    assert given.held == {1, 3}


def test_where_all_weigh_nothing_it_is_shared_evenly():
    assert by_weight(10, [part(1, 0), part(2, 0)]).amounts == {1: 5, 2: 5}


def test_holding_one_may_make_another_be_held():
    given = by_weight(100, [part(1, 6), part(2, 3), part(3, 1, least=50)])
    assert given.amounts == {1: 33, 2: 17, 3: 50}
    given = by_weight(100, [part(1, 6), part(2, 3, least=30), part(3, 1, least=50)])
    assert given.amounts == {1: 20, 2: 30, 3: 50}
    assert given.held == {2, 3}


def test_leasts_beyond_the_whole_are_shared_in_proportion_and_said():
    given = by_weight(100, [part(1, 1, least=150), part(2, 9, least=50)])
    assert given.short == 100
    assert sum(given.amounts.values()) == 100
    assert given.amounts == {1: 75, 2: 25}


def test_fixed_shares_leave_what_is_nobodys():
    assert by_share(1_000, [part(1, Fraction(1, 4)), part(2, Fraction(1, 3))]).amounts == {1: 250, 2: 333}


def test_a_least_takes_from_what_is_nobodys_first_and_then_from_others():
    shares = [part(1, Fraction(1, 4), least=400), part(2, Fraction(1, 4))]
    given = by_share(1_000, shares)
    assert given.amounts == {1: 400, 2: 250}
    assert given.held == {1}
    full = [part(1, Fraction(1, 2), least=800), part(2, Fraction(1, 4)), part(3, Fraction(1, 4))]
    assert by_share(1_000, full).amounts == {1: 800, 2: 100, 3: 100}


def test_more_that_share_than_units():
    with pytest.raises(TooSmall):
        by_weight(1, [part(1, 1), part(2, 1)])


def test_nobody_shares_nothing():
    assert by_weight(10, []).amounts == {}
    assert by_share(10, []).amounts == {}
    assert largest_remainder(0, {}) == {}


def test_even_amounts_sum_to_the_whole():
    assert even(100, 3) == [34, 33, 33]
    assert even(1_000_000_001, 3, 10_000_000) == [340_000_001, 330_000_000, 330_000_000]


@pytest.mark.parametrize("seed", range(200))
def test_what_must_hold_for_any_pool(seed):
    chance = random.Random(seed)
    total, unit = chance.randint(1, 10**6) * 100, chance.choice([1, 10, 100])
    count = chance.randint(1, 12)
    leasts = [chance.choice([0, 0, chance.randint(0, total // count)]) for _ in range(count)]
    parts = [part(n, Fraction(chance.randint(0, 100), chance.randint(1, 9)), leasts[n]) for n in range(count)]
    if total // unit < count:
        return
    given = by_weight(total, parts, unit)
    assert sum(given.amounts.values()) == total // unit * unit
    assert all(one % unit == 0 and one > 0 for one in given.amounts.values())
    if not given.short:
        assert all(given.amounts[one.key] >= one.least for one in parts)
    weights = [chance.randint(0, 10) for _ in range(count)]
    shares = [
        part(n, Fraction(weights[n], max(1, sum(weights)) + chance.randint(0, 5)), leasts[n]) for n in range(count)
    ]
    shared = by_share(total, shares, unit)
    assert sum(shared.amounts.values()) <= total
    if not shared.short:
        assert all(shared.amounts[one.key] >= one.least for one in shares)
