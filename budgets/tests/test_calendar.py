from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.limits.calendar import (
    day_of,
    day_starts_at,
    expected_share,
    next_period,
    period_bounds,
    previous_period,
    quarter_hour,
    working_days,
)

KINDS = ["day", "week", "month", "quarter", "year"]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # used to change its clock at midnight
    "America/Havana",  # midnight comes twice
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Chatham",
    "Pacific/Apia",  # had no 30 December 2011
    "America/St_Johns",  # changed at one minute past midnight
    "America/Toronto",  # once skipped from 23:30 to 00:30
    "Africa/Monrovia",  # -0:44:30 until 1972
    "Africa/Casablanca",
]
zones = st.sampled_from([ZoneInfo(name) for name in ZONES])
instants = st.datetimes(datetime(1900, 1, 3), datetime(2037, 12, 30)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001
months = st.integers(1, 12)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(instants, zones, st.sampled_from(KINDS), months)
def test_every_quarter_hour_lies_in_exactly_one_period(t, zone, kind, fiscal):
    bucket = quarter_hour(t)
    period = period_bounds(kind, day_of(bucket, zone), zone, fiscal_year_starts=fiscal)
    before = previous_period(kind, period, zone, fiscal)
    after = next_period(kind, period, zone, fiscal)
    assert [p.contains(bucket) for p in (before, period, after)] == [False, True, False]
    assert before.ends_at == period.starts_at and period.ends_at == after.starts_at
    assert previous_period(kind, after, zone, fiscal) == period
    for bound in (period.starts_at, period.ends_at):
        assert bound == quarter_hour(bound)


@given(instants, zones)
def test_an_instant_and_its_quarter_hour_share_a_day_in_the_years_usage_can_have(t, zone):
    t = t.replace(year=max(t.year, 1973), day=min(t.day, 28))
    if zone.key == "America/St_Johns":  # its clock went back one minute into the new day
        return
    assert day_of(t, zone) == day_of(quarter_hour(t), zone) == t.astimezone(zone).date()


@given(st.dates(date(1900, 1, 1), date(2090, 1, 1)), zones, st.sampled_from(KINDS), months)
def test_all_days_of_a_period_agree_on_its_bounds(day, zone, kind, fiscal):
    period = period_bounds(kind, day, zone, fiscal_year_starts=fiscal)
    assert period.first <= day <= period.last
    for other in (period.first, period.last):
        assert period_bounds(kind, other, zone, fiscal_year_starts=fiscal) == period


@given(st.dates(date(1950, 1, 1), date(2090, 1, 1)), st.integers(0, 400))
def test_working_days_are_those_a_count_finds(first, days):
    last = first + timedelta(days=days - 1)
    counted = sum((first + timedelta(days=n)).weekday() < 5 for n in range(days))
    assert working_days(first, last) == counted


@given(
    instants,
    zones,
    st.sampled_from(KINDS),
    st.sampled_from(["even", "working_days"]),
    st.timedeltas(timedelta(0), timedelta(days=40)),
)
def test_the_expected_share_grows_from_0_to_1(t, zone, kind, pace, later):
    period = period_bounds(kind, day_of(t, zone), zone)
    now, then = expected_share(period, t, zone, pace), expected_share(period, t + later, zone, pace)
    assert 0 <= now <= then <= 1
    assert expected_share(period, period.starts_at, zone, pace) == 0
    assert expected_share(period, period.ends_at, zone, pace) == 1


@pytest.mark.parametrize(
    ("zone", "kind", "day", "starts_at", "ends_at", "hours"),
    [
        # The clocks of Berlin go forward on 29 March 2026 and back on 25 October 2026.
        ("Europe/Berlin", "month", "2026-03-10", "2026-02-28T23:00Z", "2026-03-31T22:00Z", 743),
        ("Europe/Berlin", "day", "2026-03-29", "2026-03-28T23:00Z", "2026-03-29T22:00Z", 23),
        ("Europe/Berlin", "day", "2026-10-25", "2026-10-24T22:00Z", "2026-10-25T23:00Z", 25),
        ("Europe/Berlin", "week", "2026-03-29", "2026-03-22T23:00Z", "2026-03-29T22:00Z", 167),
        ("Asia/Kolkata", "month", "2026-11-22", "2026-10-31T18:30Z", "2026-11-30T18:30Z", 720),
        ("Asia/Kathmandu", "month", "2026-11-22", "2026-10-31T18:15Z", "2026-11-30T18:15Z", 720),
        # Nepal moved from +5:30 to +5:45 as 1986 began: that month is a quarter hour short of its calendar length.
        ("Asia/Kathmandu", "month", "1985-12-15", "1985-11-30T18:30Z", "1985-12-31T18:30Z", 744),
        ("Asia/Kathmandu", "month", "1986-01-15", "1985-12-31T18:30Z", "1986-01-31T18:15Z", 743.75),
        ("Australia/Lord_Howe", "day", "2026-10-04", "2026-10-03T13:30Z", "2026-10-04T13:00Z", 23.5),
        # São Paulo skipped midnight on 4 November 2018: the day began at one o'clock.
        ("America/Sao_Paulo", "day", "2018-11-04", "2018-11-04T03:00Z", "2018-11-05T02:00Z", 23),
        ("Pacific/Apia", "day", "2011-12-30", "2011-12-30T10:00Z", "2011-12-30T10:00Z", 0),
    ],
)
def test_known_bounds(zone, kind, day, starts_at, ends_at, hours):
    period = period_bounds(kind, date.fromisoformat(day), ZoneInfo(zone))
    assert (period.starts_at, period.ends_at) == (at(starts_at), at(ends_at))
    assert period.ends_at - period.starts_at == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("kind", "fiscal", "day", "first", "last"),
    [
        ("year", 4, "2026-03-31", "2025-04-01", "2026-03-31"),
        ("year", 4, "2026-04-01", "2026-04-01", "2027-03-31"),
        ("quarter", 2, "2026-01-15", "2025-11-01", "2026-01-31"),
        ("quarter", 1, "2026-11-22", "2026-10-01", "2026-12-31"),
        ("year", 12, "2026-12-01", "2026-12-01", "2027-11-30"),
        ("month", 7, "2024-02-29", "2024-02-01", "2024-02-29"),
        ("week", 1, "2026-11-22", "2026-11-16", "2026-11-22"),
    ],
)
def test_fiscal_years_quarters_and_weeks(kind, fiscal, day, first, last):
    period = period_bounds(kind, date.fromisoformat(day), ZoneInfo("UTC"), fiscal_year_starts=fiscal)
    assert (period.first.isoformat(), period.last.isoformat()) == (first, last)


def test_fixed_dates_are_one_period_wherever_the_day_lies():
    zone = ZoneInfo("Asia/Kathmandu")
    fixed = [
        period_bounds("fixed", day, zone, date(2026, 9, 1), date(2026, 12, 24))
        for day in (date(2020, 1, 1), date(2030, 1, 1))
    ]
    assert fixed[0] == fixed[1]
    assert fixed[0].starts_at == at("2026-08-31T18:15Z") and fixed[0].ends_at == at("2026-12-24T18:15Z")
    assert previous_period("fixed", fixed[0], zone) is None and next_period("fixed", fixed[0], zone) is None
    with pytest.raises(ValueError, match="no such period"):
        period_bounds("fixed", date(2026, 1, 1), zone)
    with pytest.raises(ValueError, match="no such period"):
        period_bounds("decade", date(2026, 1, 1), zone)


def test_expected_shares_worked_by_hand():
    zone = ZoneInfo("Europe/Berlin")
    november = period_bounds("month", date(2026, 11, 1), zone)
    noon = at("2026-11-16T12:00+01:00")  # a Monday
    assert expected_share(november, noon, zone, "even") == Fraction(15 * 24 + 12, 30 * 24)
    # 21 working days; 2 to 6 and 9 to 13 November are done, and half of the 16th.
    assert expected_share(november, noon, zone, "working_days") == Fraction(21, 2) / 21
    saturday = at("2026-11-21T17:00+01:00")
    assert expected_share(november, saturday, zone, "working_days") == Fraction(15, 21)
    weekend = period_bounds("fixed", date(2026, 11, 21), zone, date(2026, 11, 21), date(2026, 11, 22))
    assert expected_share(weekend, at("2026-11-22T00:00+01:00"), zone, "working_days") == Fraction(1, 2)
    # The March with 743 hours: at noon on the 29th, 28 days and 11 hours have passed, not 12.
    march = period_bounds("month", date(2026, 3, 1), zone)
    assert expected_share(march, at("2026-03-29T12:00+02:00"), zone) == Fraction(28 * 24 + 11, 743)


def test_quarter_hours_are_utc():
    assert quarter_hour(at("2026-11-22T10:29:59.999999+05:45")) == at("2026-11-22T04:30Z")
    assert quarter_hour(at("2026-11-22T10:29:59+05:45")).tzinfo is UTC
    assert day_starts_at(date(1960, 5, 5), ZoneInfo("Africa/Monrovia")) == at("1960-05-05T00:45Z")
