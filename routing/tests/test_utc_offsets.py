"""The offsets that bundles tell, against the time zone database."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from routing.bundle import policy_part
from routing.bundle.policy_part import find_offsets, utc_offsets

# A half-hour zone without changes, one of three quarters, the usual two changes, changes of half an hour, and a zone
# whose changes follow the moon.
ZONES = ["Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(policy_part, "_offsets", {})


def minutes_by(offsets, when: datetime) -> int:
    """As a client has it: the last that began."""
    said = [(datetime.fromisoformat(one.since), one.minutes) for one in offsets]
    return next(minutes for since, minutes in reversed(said) if since <= when)


@pytest.mark.parametrize("name", ZONES)
def test_they_are_those_of_the_zone_until_the_third_change(name):
    zone = ZoneInfo(name)
    for month in range(1, 13):
        now = datetime(2026, month, 8, 6, 59, 59, tzinfo=UTC)
        offsets = utc_offsets(zone, now)
        assert datetime.fromisoformat(offsets[0].since) <= now
        ends = datetime.fromisoformat(offsets[2].since) if len(offsets) > 2 else now + timedelta(days=400)
        when = now
        while when < ends + timedelta(hours=12):
            assert minutes_by(offsets, when) * 60 == when.astimezone(zone).utcoffset().total_seconds(), when
            when += timedelta(hours=7, minutes=11)
    assert len(utc_offsets(zone, now)) == (1 if name in ("Asia/Kolkata", "Asia/Kathmandu", "UTC") else 3)


def test_the_minute_of_a_change():
    offsets = utc_offsets(ZoneInfo("America/New_York"), datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC))
    assert [(one.since, one.minutes) for one in offsets] == [
        ("2025-11-02T06:00:00Z", -300), ("2026-03-08T07:00:00Z", -240), ("2026-11-01T06:00:00Z", -300),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ZONES)
def test_they_are_looked_for_once_until_they_change_and_never_kept_too_long(name, monkeypatch):
    zone, looked = ZoneInfo(name), []
    monkeypatch.setattr(policy_part, "find_offsets", lambda zone, now: looked.append(now) or find_offsets(zone, now))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    while now < datetime(2027, 1, 1, tzinfo=UTC):
        assert utc_offsets(zone, now) == list(find_offsets(zone, now).offsets), now
        now += timedelta(days=2, hours=5, minutes=13)
    assert len(looked) <= 18  # a year's months and changes
    # An earlier moment is not answered from what holds later.
    assert utc_offsets(zone, datetime(2024, 7, 1, tzinfo=UTC)) == list(
        find_offsets(zone, datetime(2024, 7, 1, tzinfo=UTC)).offsets
    )


def test_what_is_answered_may_be_changed_by_whoever_asked():
    zone, now = ZoneInfo("Europe/Berlin"), datetime(2026, 7, 1, tzinfo=UTC)
    utc_offsets(zone, now).clear()
    assert len(utc_offsets(zone, now)) == 3
