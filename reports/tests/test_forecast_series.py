"""The forecaster on histories as real ones are: each says what has to come out, within what anybody would accept."""

import math
from itertools import pairwise

import numpy as np
import pytest

from reports.forecast.ensemble import Forecast, forecast
from reports.forecast.history import TooShort, prepared

DAYS = np.arange(60)


def noise(length=60, size=0.1):
    return np.random.default_rng(11).lognormal(0, size, length)


def rows(found: Forecast):
    return [found.lo95, found.lo80, found.mean, found.hi80, found.hi95]


def ordered(found: Forecast):
    return all((low <= high + 1e-9).all() for low, high in pairwise(rows(found)))


def test_weekends_stay_what_they_are():
    found = forecast((np.where(DAYS % 7 < 5, 100.0, 0.0) * noise()).tolist(), 14, 7)
    weekend = (np.arange(60, 74) % 7) >= 5
    assert (found.mean[weekend] < 5).all()
    assert (abs(found.mean[~weekend] - 100) < 20).all()
    assert ordered(found)


def test_a_series_that_repeats_exactly_goes_on_so_with_hardly_a_range():
    found = forecast(np.where(DAYS % 7 < 5, 100.0, 0.0).tolist(), 14, 7)
    assert found.mean == pytest.approx(np.where(np.arange(60, 74) % 7 < 5, 100.0, 0.0), abs=0.5)
    assert (found.hi95 - found.lo95).max() < 2
    assert found.total(14).hi95 - found.total(14).lo95 < 50


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_constant_goes_on(value):
    found = forecast([value] * 30, 5, 7)
    assert [row.tolist() for row in rows(found)] == [[value] * 5] * 5
    assert found.total(5).mean == found.total(5).lo95 == 5 * value


def test_after_a_change_of_level_the_new_one_is_expected():
    found = forecast((np.where(DAYS < 50, 100.0, 300.0) * noise()).tolist(), 14, 7)
    assert found.mean == pytest.approx(300, rel=0.13)


def test_a_strange_week_after_a_calm_year_is_no_new_level():
    calm = 100 * noise(300)
    calm[-8:] *= 0.5
    found = forecast(calm.tolist(), 28, 7)
    assert found.mean[14:].mean() > 70


def test_growth_goes_on():
    found = forecast((100 + 5.0 * DAYS).tolist(), 7, 7)
    assert found.mean == pytest.approx(100 + 5.0 * np.arange(60, 67), rel=0.03)


@pytest.mark.parametrize("at", [20, 57, 59])
def test_one_peak_changes_little(at):
    calm = 100 * noise()
    peak = calm.copy()
    peak[at] = 5000
    found = forecast(peak.tolist(), 14, 7)
    assert found.mean == pytest.approx(forecast(calm.tolist(), 14, 7).mean, rel=0.15)
    assert found.hi80.max() < 250


def test_peaks_that_come_back_are_no_accidents():
    every_week = np.where(DAYS % 7 == 2, 5000.0, 100.0)
    found = forecast((every_week * noise()).tolist(), 14, 7)
    assert (found.mean[(np.arange(60, 74) % 7) == 2] > 4000).all()


def test_lone_zeros_are_accidents_but_count_for_the_range_of_sums():
    down = 100 * noise()
    down[[25, 41]] = 0
    assert forecast(down.tolist(), 14, 7).mean == pytest.approx(100, rel=0.15)
    assert prepared(down.tolist(), 7).clean.min() > 50
    assert prepared(down.tolist(), 7).raw.min() == 0


def test_what_has_stopped_is_expected_to_rest_and_may_start_again():
    found = forecast((np.where(DAYS < 50, 100.0, 0.0) * noise()).tolist(), 14, 7)
    assert found.mean.tolist() == found.hi80.tolist() == [0.0] * 14
    assert found.hi95 == pytest.approx(100, rel=0.15)
    assert found.total(14).hi95 == pytest.approx(1400, rel=0.15)


def test_what_rests_now_and_then_has_not_stopped():
    months = np.where(DAYS % 20 < 10, 100.0, 0.0)
    assert forecast(months.tolist(), 14, 7).mean.max() > 0


def test_gaps_are_passed_over():
    whole = (100 * noise()).tolist()
    holes = [None if at % 9 == 4 else value for at, value in enumerate(whole)]
    assert forecast(holes, 14, 7).mean == pytest.approx(forecast(whole, 14, 7).mean, rel=0.1)
    unknown = [math.nan if value is None else value for value in holes]
    assert forecast(unknown, 14, 7).mean.tolist() == forecast(holes, 14, 7).mean.tolist()


def test_a_gap_now_keeps_the_time_of_the_week():
    weekdays = np.where(DAYS % 7 < 5, 100.0, 0.0).tolist()
    found = forecast([*weekdays[:56], None, None, None, None], 7, 7)
    assert found.mean == pytest.approx(np.where(np.arange(60, 67) % 7 < 5, 100.0, 0.0), abs=1)


def test_the_time_before_the_first_spend_is_no_history():
    begun = (100 * noise(20)).tolist()
    assert forecast([None, *[0.0] * 40, *begun], 7, 7).mean.tolist() == forecast(begun, 7, 7).mean.tolist()


@pytest.mark.parametrize("values", [[], [1.0] * 13, [None] * 30, [0.0] * 29 + [9.0], [1.0] * 13 + [None] * 9])
def test_too_short_a_history_says_what_it_needs(values):
    with pytest.raises(TooShort) as found:
        forecast(values, 7, 7)
    assert found.value.needed == 14
    assert found.value.known < 14
    assert "14 known steps" in str(found.value)


def test_the_shortest_history_has_the_widest_range():
    values = (100 * noise(120, 0.2)).tolist()
    widths = [np.mean((found := forecast(values[-days:], 14, 7)).hi95 - found.lo95) for days in (14, 28, 120)]
    assert widths[0] > widths[1] > widths[2]
    assert forecast(values[-14:], 14, 7).tests == 0


def test_ranges_grow_beyond_what_was_tested():
    found = forecast((100 * noise(30)).tolist(), 120, 7)
    width = (found.hi95 - found.lo95).reshape(-1, 20).mean(axis=1)
    assert width[5] > width[2]
    assert ordered(found)


@pytest.mark.parametrize("bad", [{"horizon": 0}, {"season": 0}, {"seasons": (0,)}, {"values": [math.inf] * 30}])
def test_what_makes_no_sense_is_refused(bad):
    asked = {"values": [1.0] * 30, "horizon": 7, "season": 7, **bad}
    with pytest.raises(ValueError):
        forecast(asked.pop("values"), asked.pop("horizon"), asked.pop("season"), **asked)


@pytest.mark.parametrize(("length", "season"), [(60, 7), (15, 7), (24 * 25, 24), (50, 24), (40, 1), (60, 12), (600, 7)])
def test_always_finite_ordered_and_the_same_in_any_unit(length, season):
    draw = np.random.default_rng(length)
    values = draw.lognormal(0, 0.4, length) * (1.2 + np.sin(np.arange(length) * 2 * np.pi / season))
    values[draw.random(length) < 0.15] = 0
    found = forecast(values.tolist(), 2 * season + 3, season)
    assert all(np.isfinite(row).all() and (row >= 0).all() for row in rows(found))
    assert ordered(found)
    assert sum(weight for _, weight in found.weights) == pytest.approx(1)
    for unit in (1e-9, 1e12):
        for one, other in zip(
            rows(found), rows(forecast((values * unit).tolist(), 2 * season + 3, season)), strict=True
        ):
            assert other / unit == pytest.approx(one, rel=1e-6, abs=1e-9)
    assert [row.tolist() for row in rows(forecast(values.tolist(), 2 * season + 3, season))] == [
        row.tolist() for row in rows(found)
    ]


def test_credits_below_zero_are_forecast_too():
    found = forecast(np.random.default_rng(3).normal(0, 10, 60).tolist(), 7, 7)
    assert found.lo80.max() < 0 < found.hi80.min()


def test_a_week_of_hours_is_seen_by_itself():
    hours = np.arange(24 * 7 * 5)
    office = (hours % 24 >= 8) & (hours % 24 < 18) & (hours // 24 % 7 < 5)
    values = np.where(office, 50.0, 0.0)[: 24 * 33]  # the next two days are a Saturday and a Sunday
    found = forecast((values * noise(len(values))).tolist(), 72, 24)
    assert found.mean[:48].max() < 5
    assert found.mean[48 + 10] > 40


class TestSums:
    def test_a_sum_is_the_sum_of_what_is_expected(self):
        found = forecast((100 * noise()).tolist(), 14, 7)
        assert found.total(1).mean == pytest.approx(found.mean[0])
        assert found.total(14).mean == pytest.approx(found.mean.sum())

    def test_errors_that_come_alone_partly_cancel_each_other(self):
        found = forecast((100 * noise(200, 0.3)).tolist(), 28, 7)
        total = found.total(28)
        assert total.lo95 < total.lo80 < total.mean < total.hi80 < total.hi95
        assert total.hi80 - total.lo80 < 0.7 * (found.hi80 - found.lo80).sum()

    def test_errors_that_all_go_one_way_do_not(self):
        wander = 100 * np.exp(np.random.default_rng(5).normal(0, 0.08, 200).cumsum())
        alone, together = (forecast(values.tolist(), 28, 7) for values in (100 * noise(200, 0.3), wander))
        share = [
            (found.total(28).hi80 - found.total(28).lo80) / (found.hi80 - found.lo80).sum()
            for found in (alone, together)
        ]
        assert share[1] > 1.5 * share[0]

    def test_it_never_narrows_as_steps_are_added(self):
        found = forecast((100 * noise(90, 0.3)).tolist(), 31, 7)
        widths = [found.total(steps).hi95 - found.total(steps).mean for steps in range(1, 32)]
        assert all(next_one > one - 1e-9 for one, next_one in pairwise(widths))

    @pytest.mark.parametrize("steps", [0, 15])
    def test_beyond_the_horizon_is_refused(self, steps):
        with pytest.raises(ValueError, match="1 to 14 steps"):
            forecast((100 * noise()).tolist(), 14, 7).total(steps)


def test_ranges_hold_on_what_nobody_has_seen():
    """60 made series of 14 steps: the shares are what they say, within what so many can tell."""
    draw = np.random.default_rng(2)
    within = []
    for _ in range(60):
        shape = draw.lognormal(0, 0.4, 7)
        values = np.resize(shape, 134) * draw.lognormal(0, 0.25, 134) * 100
        found, came = forecast(values[:120].tolist(), 14, 7), values[120:]
        within.append(
            [
                ((came >= low) & (came <= high)).mean()
                for low, high in ((found.lo80, found.hi80), (found.lo95, found.hi95))
            ]
        )
    share80, share95 = np.mean(within, axis=0)
    assert 0.74 < share80 < 0.90
    assert 0.91 < share95 < 0.99
