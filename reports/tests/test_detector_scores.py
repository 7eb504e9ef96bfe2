"""The detector of unusual values: causal, the same from a kept state, and what it finds and leaves in peace."""

import json
import math
import random
from datetime import datetime, timedelta

import pytest

from reports.unusual.detector import COARSE, FINE, SHIPPED_THRESHOLD, Detector, Seen
from reports.unusual.scan import grain_of, scan

MONDAY = datetime.fromisoformat("2026-03-02")
GRAINS = (300, 900, 3600)
DAY, WEEK = 24, 7 * 24  # hours


def times(count: int, grain: int = 3600) -> list[datetime]:
    return [MONDAY + timedelta(seconds=grain * n) for n in range(count)]


def noise(count: int, seed: int = 1) -> list[float]:
    dice = random.Random(seed)
    return [max(dice.gauss(100, 10), 0.0) for _ in range(count)]


def office(count: int, seed: int = 1) -> list[float]:
    """Hourly spend of people who work from nine to six on weekdays."""
    dice = random.Random(seed)
    busy = [100.0 if when.weekday() < 5 and 9 <= when.hour < 18 else 10.0 for when in times(count)]
    return [value * dice.lognormvariate(0, 0.2) for value in busy]


def told(seen: list[Seen]) -> list[int]:
    return [place for place, one in enumerate(seen) if one.score >= SHIPPED_THRESHOLD]


@pytest.fixture(scope="module")
def eventful() -> list[float | None]:
    """Gaps, zeros, a spike, a shift and nonsense, in noise."""
    values: list[float | None] = list(noise(1500))
    values[200:220] = [None] * 20
    values[300:320] = [0.0] * 20
    values[500] = 900.0
    values[600] = math.nan
    values[800:] = [3 * value for value in values[800:] if value is not None]
    return values


@pytest.mark.parametrize("grain", GRAINS)
def test_what_comes_later_changes_no_score(eventful, grain):
    whole = scan(times(1500, grain), eventful)
    half = scan(times(1500, grain)[:750], eventful[:750])
    assert half == whole[:750]
    assert told(half)


@pytest.mark.parametrize("grain", GRAINS)
def test_a_series_at_once_and_value_by_value_are_the_same(eventful, grain):
    detector = Detector(grain)
    one_by_one = [detector.score(*at) for at in zip(times(1500, grain), eventful, strict=True)]
    assert one_by_one == [seen.score for seen in scan(times(1500, grain), eventful)]


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("stop", [0, 1, 210, 801, 1499])
def test_it_goes_on_from_a_kept_state_as_if_it_had_not_stopped(eventful, grain, stop):
    when = times(1500, grain)
    first = Detector(grain)
    for at in zip(when[:stop], eventful[:stop], strict=True):
        first.see(*at)
    later = Detector.from_state(json.loads(json.dumps(first.to_state())))
    rest = [later.see(*at) for at in zip(when[stop:], eventful[stop:], strict=True)]
    assert rest == scan(when, eventful, grain)[stop:]
    assert len(json.dumps(first.to_state())) < 60_000


def test_a_state_of_another_version_is_refused():
    state = Detector(3600).to_state() | {"version": 0}
    with pytest.raises(ValueError, match="version 0"):
        Detector.from_state(state)


@pytest.mark.parametrize("grain", [0, -1, math.nan])
def test_a_grain_that_is_none_is_refused(grain):
    with pytest.raises(ValueError, match="more than 0"):
        Detector(grain)


@pytest.mark.parametrize("grain", GRAINS)
def test_scores_are_between_0_and_1(eventful, grain):
    seen = scan(times(1500, grain), eventful)
    assert all(0 <= one.score <= one.loudness < 1 for one in seen)


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e99, 1e-30])
def test_what_never_changes_is_never_unusual(grain, value):
    seen = scan(times(600, grain), [value] * 600)
    assert {one.score for one in seen} == {0.0}
    assert seen[-1].expected == seen[-1].low == seen[-1].high == value


@pytest.mark.parametrize("gap", [None, math.nan, math.inf, -math.inf, 1e300])
def test_a_gap_scores_nothing_and_teaches_nothing(gap):
    with_gap, without = Detector(3600), Detector(3600)
    for when, value in zip(times(100), noise(100), strict=True):
        with_gap.see(when, value)
        without.see(when, value)
    here = with_gap.see(times(101)[-1], gap)
    assert (here.score, here.loudness) == (0.0, 0.0)
    assert here.low < here.expected < here.high
    assert with_gap.to_state() == without.to_state()


def test_nothing_is_expected_before_anything_was_seen():
    first = Detector(3600).see(MONDAY, 7.0)
    assert (first.score, first.expected, first.low, first.high) == (0.0, None, None, None)


@pytest.mark.parametrize("grain", [900, 3600])
@pytest.mark.parametrize("times_usual", [2, 3, 10])
def test_a_jump_is_found_in_the_grain_in_which_it_comes(grain, times_usual):
    count = 10 * 86_400 // grain
    values = noise(count + 1)
    values[count] *= times_usual
    seen = scan(times(count + 1, grain), values)
    assert seen[count].score >= SHIPPED_THRESHOLD
    assert seen[count].high < values[count]
    assert seen[count].low < 100 < seen[count].high


def test_work_after_hours_is_found_though_it_is_usual_by_day():
    values = office(4 * WEEK)
    night = 3 * WEEK + 2 * DAY + 3
    values[night] = 150.0
    seen = scan(times(4 * WEEK), values)
    assert night in told(seen)
    day = seen[3 * WEEK + 2 * DAY + 12]
    assert seen[night].expected < 40 < 60 < day.expected


def test_office_hours_themselves_are_left_in_peace():
    seen = scan(times(8 * WEEK), office(8 * WEEK))
    assert len([place for place in told(seen) if place >= 2 * WEEK]) <= 6


@pytest.mark.parametrize("grain", GRAINS)
def test_noise_is_left_in_peace(grain):
    """Longer grains tell nothing in three weeks after the first; shorter ones at most four times in ten days."""
    count = 28 * 86_400 // grain if grain >= 900 else 4_000
    seen = scan(times(count, grain), noise(count))
    assert len([place for place in told(seen) if place >= count // 4]) <= (0 if grain >= 900 else 4)


def runs_now_and_then(count: int) -> list[float]:
    """One hour in ten something of about 20; else nothing."""
    dice = random.Random(3)
    return [dice.lognormvariate(3, 0.3) if dice.random() < 0.1 else 0.0 for _ in range(count)]


def test_runs_now_and_then_are_left_in_peace_and_one_of_ten_times_the_cost_is_not():
    values = runs_now_and_then(6 * WEEK)
    values[5 * WEEK] = 200.0
    found = told(scan(times(6 * WEEK), values))
    assert [place for place in found if place >= 2 * WEEK] == [5 * WEEK]


def test_what_is_only_a_little_rarer_than_usual_is_not_told():
    values = noise(3 * WEEK)
    values[2 * WEEK] = 145.0  # four and a half times the noise: once in thirty years of hours
    assert told(scan(times(3 * WEEK), values)) == []


def test_a_level_shift_is_told_when_it_comes_and_learnt():
    values = [value * (3 if place >= 3 * WEEK else 1) for place, value in enumerate(noise(6 * WEEK))]
    seen = scan(times(6 * WEEK), values)
    after = [place for place in told(seen) if place >= 3 * WEEK]
    assert after[0] == 3 * WEEK
    assert len(after) <= 4
    assert max(after) < 3 * WEEK + 2 * DAY
    assert seen[3 * WEEK].expected == pytest.approx(100, rel=0.1)
    assert seen[4 * WEEK].expected == pytest.approx(300, rel=0.2)
    assert seen[5 * WEEK].low < 300 < seen[5 * WEEK].high


def test_what_was_told_and_goes_on_stays_loud_but_is_not_new():
    values = noise(3 * WEEK)
    for place in range(2 * WEEK, 2 * WEEK + 5):
        values[place] = 1000.0
    seen = scan(times(3 * WEEK), values)[2 * WEEK : 2 * WEEK + 5]
    assert [one.score >= SHIPPED_THRESHOLD for one in seen] == [True, False, False, False, False]
    assert all(one.loudness >= SHIPPED_THRESHOLD for one in seen[:3])


def test_what_grows_further_is_told_again():
    values = noise(3 * WEEK)
    values[2 * WEEK], values[2 * WEEK + 4] = 1000.0, 20_000.0
    assert {2 * WEEK, 2 * WEEK + 4} <= set(told(scan(times(3 * WEEK), values)))


def weekend_batch(weeks: int) -> list[float]:
    values = noise(weeks * WEEK)
    for week in range(weeks):
        for hour in range(3):
            values[week * WEEK + 5 * DAY + 2 + hour] += 1000
    return values


def test_a_weekly_batch_becomes_quiet_from_the_third_week_on():
    values = weekend_batch(8)
    seen = scan(times(8 * WEEK), values)
    batches = {week * WEEK + 5 * DAY + 2 + hour: week for week in range(8) for hour in range(3)}
    assert {batches[place] for place in told(seen) if place in batches} == {0, 1}
    last = seen[7 * WEEK + 5 * DAY + 3]
    assert last.expected == pytest.approx(1100, rel=0.1)


def test_a_weekly_batch_that_costs_five_times_as_much_is_found():
    values = weekend_batch(8)
    batch = 7 * WEEK + 5 * DAY + 2
    values[batch] += 4400
    assert batch in told(scan(times(8 * WEEK), values))


def test_one_strange_week_is_not_expected_the_next():
    values = noise(6 * WEEK)
    values[4 * WEEK + 50] = 3000.0
    seen = scan(times(6 * WEEK), values)
    assert seen[5 * WEEK + 50].expected < 130


def test_fine_grains_find_a_shift_that_no_single_value_shows():
    values = noise(3000)
    for place in range(2500, 3000):
        values[place] += 15  # one and a half times the noise
    seen = scan(times(3000, 300), values)
    found = [place for place in told(seen) if place >= 2500]
    assert found
    assert found[0] < 2500 + 24


def test_repeated_time_stamps_keep_their_order_and_are_scored():
    when = times(300)
    twice = [one for pair in zip(when, when, strict=True) for one in pair]
    values = noise(600)
    values[501] = 5000.0
    assert 501 in told(scan(twice, values))
    assert grain_of(twice) == 3600


def test_the_grain_is_that_of_the_first_rows():
    assert grain_of([]) == grain_of([MONDAY]) == 3600
    assert grain_of(times(100, 300) + times(900)) == 300
    assert (Detector(899).tuning, Detector(900).tuning) == (FINE, COARSE)


def test_another_unit_changes_no_score():
    values = [float(2**n % 37) + 1 for n in range(400)]
    thousandfold = [1024 * value for value in values]
    plain, scaled = scan(times(400), values), scan(times(400), thousandfold)
    assert [one.score for one in plain] == pytest.approx([one.score for one in scaled])


def test_spend_is_never_expected_below_nothing():
    seen = scan(times(400), [5.0 if place % 7 == 0 else 0.0 for place in range(400)])
    assert all(one.low >= 0 and one.expected >= 0 for one in seen[1:])
    below = scan(times(400), [-value for value in noise(400)])
    assert below[-1].expected < 0
