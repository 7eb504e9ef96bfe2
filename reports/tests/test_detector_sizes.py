"""How rare a size is, worked out by hand; and what each time of the day and week is expected to add."""

import json
from math import log10

import pytest

from reports.unusual.seasons import Days, HalfHours, Weeks
from reports.unusual.sizes import HEAVIEST, LAST_BIN, Sizes, bin_of, size_of


def of(*sizes: float, half_life: float = 1e12) -> Sizes:
    counted = Sizes(half_life)
    for size in sizes:
        counted.add(size)
    return counted


def test_rarity_counts_those_as_great_and_half_of_those_alike():
    counted = of(*[1.0] * 90, *[4.0] * 9)
    assert counted.rarity(2.0) == pytest.approx(log10(100 / 9))
    assert counted.rarity(4.0) == pytest.approx(log10(100 / 4.5))
    assert counted.rarity(1.0) == pytest.approx(log10(100 / 54))


def test_beyond_the_greatest_rarity_grows_with_the_square():
    counted = of(*[1.0] * 99)
    assert counted.rarity(10.0) - counted.rarity(5.0) == pytest.approx(2 * log10(2), abs=0.01)
    assert counted.rarity(1e30) == counted.rarity(1e60)


def test_nothing_is_never_rare():
    assert of().rarity(5.0) == 0
    assert of(1.0, 2.0).rarity(0.0) == 0


def test_older_sizes_weigh_less():
    counted = of(*[8.0] * 10, *[1.0] * 30, half_life=10)
    assert counted.counts[bin_of(8.0)] / counted.total == pytest.approx((1 - 1 / 2) / 2**3 / (1 - 1 / 2**4))
    always = of(*[8.0] * 10, *[1.0] * 30)
    assert always.counts[bin_of(8.0)] / always.total == pytest.approx(10 / 40)
    assert counted.rarity(8.0) > always.rarity(8.0)


def test_weights_never_overflow_and_settling_changes_no_rarity():
    counted, plain = of(half_life=5), of(half_life=5)
    for n in range(2000):
        counted.add(1.0 + n % 7)
        assert counted.weight <= HEAVIEST
    for n in range(2000):
        plain.add(1.0 + n % 7)
    plain.settle()
    assert plain.weight == 1
    assert plain.rarity(6.0) == pytest.approx(counted.rarity(6.0), abs=1e-3)


def test_quantiles_are_exact_to_a_quarter_octave():
    counted = of(*range(1, 101))
    assert counted.quantile(0.5) == pytest.approx(50, rel=0.1)
    assert counted.quantile(0.95) == pytest.approx(95, rel=0.1)
    assert of().quantile(0.5) == of(0.0, 0.0, 1.0).quantile(0.5) == 0


def test_the_middle_is_of_what_is_not_nothing_where_most_is_nothing():
    assert of(0.0, 0.0, 8.0, 8.0, 8.0).middle() == (pytest.approx(8, rel=0.1), False)
    assert of(0.0, 0.0, 0.0, 0.0, 2.0, 8.0, 32.0).middle() == (pytest.approx(8, rel=0.1), True)
    assert of(0.0).middle() == (0.0, True)
    assert of().middle() == (0.0, False)


def test_bins_hold_any_size():
    assert bin_of(1e300) == LAST_BIN
    assert bin_of(1e-300) == 1
    assert bin_of(size_of(321)) == 321


def test_a_kept_state_is_the_same():
    counted = of(0.0, 1.0, 5.0, 1e9, half_life=3)
    again = Sizes.from_state(json.loads(json.dumps(counted.to_state())))
    assert (again.counts, again.highest, again.weight) == (counted.counts, counted.highest, counted.weight)
    assert again.rarity(7.0) == counted.rarity(7.0)


def test_days_are_believed_the_more_the_more_there_were():
    days = Days(3600)
    assert days.expected(0) == 0
    for day in range(5):
        days.learn(day * 86_400 + 100, 10.0)
    assert days.expected(6 * 86_400) == pytest.approx(5.0)
    assert days.expected(3600) == 0


def test_a_week_is_the_median_of_three_and_unseen_ones_add_nothing():
    weeks = Weeks(3600)
    expected = []
    for added in (100.0, 90.0, 110.0, 9_000.0, 100.0):
        weeks.learn(7200, added)
        expected.append(weeks.expected(7300))
    assert expected == [0, 90, 100, 110, 110]
    weeks.learn(3600, 50.0)
    weeks.learn(3600, -50.0)
    assert weeks.expected(3600) == 0
    assert weeks.expected(0) == 0


def test_a_half_hour_holds_its_last_values_and_those_of_the_week_before():
    held = HalfHours()
    assert held.held(1800) is None
    held.learn(1800, 10.0)
    held.learn(1900, 20.0)
    assert held.held(3599) == 15
    assert held.held(3600) is None
