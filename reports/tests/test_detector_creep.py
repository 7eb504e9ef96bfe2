"""A slow rise over weeks is found, what only looks like one is not."""

import json
import random
from collections.abc import Callable

import pytest

from reports.unusual.creep import Creep


def over(days: int, value: Callable[[int], float], grains: int = 4) -> list[tuple[float, float]]:
    """Score and growth as of each complete day."""
    creep, found = Creep(), []
    for day in range(days + 1):  # the last is not complete
        for _ in range(grains):
            creep.add(day, value(day))
        found.append((creep.score, creep.growth))
    return found


def first(found: list[tuple[float, float]]) -> int | None:
    return next((day for day, (score, _) in enumerate(found) if score >= 0.5), None)


def noisy(day: int, spread: float = 0.1) -> float:
    weekend = 0.2 if day % 7 >= 5 else 1.0
    return 100 * weekend * random.Random(day).lognormvariate(0, spread)


def test_five_percent_a_week_is_found_beneath_weekends_and_noise():
    found = over(84, lambda day: noisy(day) * 1.05 ** (day / 7))
    day = first(found)
    assert day is not None
    assert found[day][1] == pytest.approx(1.05**4 - 1, abs=0.1)


def test_it_is_found_within_five_weeks_of_its_beginning():
    day = first(over(84, lambda day: noisy(day) * 1.08 ** (max(day - 40, 0) / 7)))
    assert day is not None
    assert 40 < day <= 75


@pytest.mark.parametrize(
    "value",
    [
        noisy,
        lambda day: noisy(day, 0.5),
        lambda day: 100.0,
        lambda day: 0.0,
        lambda day: noisy(day) * (2 if day >= 56 else 1),
        lambda day: noisy(day) * (20 if day == 66 else 1),
        lambda day: noisy(day) * 0.95 ** (day / 7),
        lambda day: noisy(day) * 1.02 ** (day / 7),
        lambda day: 100 + 0.001 * day,
    ],
    ids=["noise", "much noise", "constant", "nothing", "one step", "one day", "falling", "two percent", "a trace"],
)
def test_what_is_none_is_not_told(value):
    assert first(over(84, value)) is None


def test_it_needs_the_better_part_of_five_weeks():
    assert first(over(60, lambda day: 100 * 1.1 ** (day / 7))) == 4 * 7 + 3


def test_missing_days_and_an_older_day_do_no_harm():
    creep, found = Creep(), []
    for day in range(70):
        if day % 8:
            creep.add(day, noisy(day) * 1.1 ** (day / 7))
            creep.add(day - 1, noisy(day) * 1.1 ** (day / 7))
            found.append(creep.score)
    assert max(found) >= 0.5


def test_it_ends_when_the_rise_does():
    found = over(140, lambda day: noisy(day) * 1.06 ** (min(day, 70) / 7))
    assert first(found) is not None
    assert max(score for score, _ in found[105:]) < 0.5


def test_a_kept_state_is_the_same():
    creep = Creep()
    for day in range(50):
        creep.add(day, noisy(day) * 1.06 ** (day / 7))
    again = Creep.from_state(json.loads(json.dumps(creep.to_state())))
    creep.add(51, 1.0)
    again.add(51, 1.0)
    assert again.to_state() == creep.to_state()
