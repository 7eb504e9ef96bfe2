"""What is given, how long it lasts, what it reserves: worked out by hand."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from budgets.leases.counted import of_environment
from budgets.leases.terms import Times, Window, day_window, granted, minute_of, reserves, times_of

NOW = datetime(2026, 11, 18, 9, 30, 42, 500, tzinfo=UTC)
CENT = 10_000_000


@pytest.mark.parametrize(
    ("kind", "free", "wished", "at_least", "given"),
    [
        ("money", 100 * CENT, None, None, 5 * CENT),  # a twentieth
        ("money", 100 * CENT + 1, None, None, 5 * CENT + 1),  # rounded up
        ("money", 3 * CENT, None, None, CENT),  # not less than a cent
        ("money", CENT - 1, None, None, CENT - 1),  # but what is left
        ("money", 100 * CENT, 250 * CENT, None, 100 * CENT),
        ("money", 100 * CENT, 7, None, 7),
        ("money", 100 * CENT, 7, 9, 9),  # one call always fits
        ("money", 100 * CENT, None, 50 * CENT, 50 * CENT),
        ("money", 49, None, 50, None),
        ("money", 50, None, 50, 50),
        ("money", 0, 7, None, None),
        ("money", -5, None, None, None),
        ("calls", 60, None, None, 3),
        ("calls", 5, None, None, 1),
        ("tokens", 10_000, None, None, 1_000),
        ("tokens", 100_001, None, None, 5_001),
    ],
)
def test_how_much_is_given(kind, free, wished, at_least, given):
    assert granted(kind, free, wished, at_least) == given


@pytest.mark.parametrize(
    ("amount", "used", "charged", "left"),
    [(100, None, 0, 100), (100, None, 30, 70), (100, None, 130, 0), (100, 40, 30, 10), (100, 40, 50, 0),
     (100, 0, 0, 0), (100, 170, 30, 70), (100, None, -20, 120)],
)  # fmt: skip
def test_what_it_still_reserves(amount, used, charged, left):
    assert reserves(amount, used, charged) == left


def test_money_lasts_a_minute_but_never_beyond_its_period_and_is_held_five_more():
    month = Window(NOW - timedelta(days=17), NOW + timedelta(days=12))
    end, held = NOW + timedelta(seconds=60), NOW + timedelta(seconds=360)
    assert times_of("money", NOW, month) == times_of("tokens", NOW, month) == Times(end, held)
    closing = Window(month.starts_at, NOW + timedelta(seconds=10))
    assert times_of("money", NOW, closing) == Times(NOW + timedelta(seconds=10), NOW + timedelta(seconds=310))


def test_calls_last_to_the_end_of_the_minute():
    window = minute_of(NOW)
    assert window == Window(NOW.replace(second=0, microsecond=0), datetime(2026, 11, 18, 9, 31, tzinfo=UTC))
    assert times_of("calls", NOW, window) == Times(window.ends_at, window.ends_at)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-18", 24)])
def test_a_day_has_the_hours_that_the_clocks_give_it(day, hours):
    berlin = ZoneInfo("Europe/Berlin")
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=berlin)
    window = day_window(noon.astimezone(UTC), berlin)
    assert window.ends_at - window.starts_at == timedelta(hours=hours)
    assert window.starts_at.astimezone(berlin).isoformat()[:16] == f"{day}T00:00"


def test_a_star_stands_for_every_environment_but_production():
    daily = {"*": 100, "staging": 7}
    assert [of_environment(daily, one) for one in ("staging", "dev", "production")] == [7, 100, None]
    assert of_environment({"production": 5}, "production") == 5
