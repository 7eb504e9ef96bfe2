"""What the address asks for: days, comparisons, and what of the spend."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import QueryDict

from budgets.models import Membership, Team, Workflow
from reports.asking.scope import Scope, read, scope_of, written
from reports.asking.window import compared, compared_name, unknown, window_of
from reports.tests.rows import at

NOON = at("2026-11-18T12:00")
BERLIN = ZoneInfo("Europe/Berlin")


def test_this_month_counts_today_and_compares_complete_days():
    window = window_of({}, NOON, BERLIN)
    assert (window.first, window.last, window.ends) == (date(2026, 11, 1), date(2026, 11, 18), date(2026, 11, 30))
    assert (window.complete_last, window.complete_days, window.runs) == (date(2026, 11, 17), 17, True)
    assert (window.compared_words, window.before_words) == ("1–17 Nov", "1–17 Oct")
    assert window.starts_at == at("2026-10-31T23:00")


def test_last_month_is_whole_and_compared_with_the_whole_month_before():
    window = window_of({"period": "last-month"}, at("2026-03-10T12:00"), BERLIN)
    assert (window.days_words, window.before_words, window.runs) == ("1–28 Feb", "1–31 Jan", False)


def test_seven_days_are_complete_days():
    window = window_of({"period": "7d"}, NOON, BERLIN)
    assert (window.days_words, window.before_words, window.complete_days) == ("11–17 Nov", "4–10 Nov", 7)


def test_a_quarter_follows_the_fiscal_year():
    window = window_of({"period": "quarter"}, NOON, BERLIN, fiscal_year_starts=2)
    assert (window.first, window.ends) == (date(2026, 11, 1), date(2027, 1, 31))


def test_today_is_the_zones_today():
    late = at("2026-10-31T18:20")  # 1 November, 00:05 in Kathmandu
    assert window_of({}, late, ZoneInfo("Asia/Kathmandu")).first == date(2026, 11, 1)
    assert window_of({}, late, ZoneInfo("UTC")).first == date(2026, 10, 1)


def custom(first: str, last: str, zone: ZoneInfo = BERLIN, now: datetime = NOON):
    return window_of({"period": "custom", "from": first, "to": last}, now, zone)


def test_chosen_days_are_both_included_and_compared_with_as_many_before():
    window = custom("2026-11-10", "2026-11-12")
    assert (window.first, window.last, window.ends) == (date(2026, 11, 10), date(2026, 11, 12), date(2026, 11, 12))
    assert (window.before, window.before_last, window.note) == (date(2026, 11, 7), date(2026, 11, 9), "")
    assert window.link == "period=custom&from=2026-11-10&to=2026-11-12"


def test_chosen_days_that_still_run_count_today_and_compare_complete_days():
    window = custom("2026-11-16", "2026-11-30")
    assert (window.last, window.ends, window.runs, window.complete_days) == (
        date(2026, 11, 18),
        date(2026, 11, 30),
        True,
        2,
    )
    other = compared(window, "previous")
    assert other and (other.first, other.last) == (date(2026, 11, 13), date(2026, 11, 14))
    assert window.complete and (window.complete.first, window.complete.last) == (date(2026, 11, 16), date(2026, 11, 17))


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("", "", "Choose the first"),
        ("2026-11-31", "2026-12-01", "Choose the first"),
        ("2026-11-12", "2026-11-10", "turn the two days around"),
        ("2027-01-01", "2027-01-02", "still to come"),
        ("2020-01-01", "2026-01-02", "more than 1,100 days"),
        ("0001-01-01", "0001-01-02", "choose days from 2000 on"),
    ],
)
def test_days_that_make_no_sense_are_told_and_this_month_shown(first: str, last: str, said: str):
    window = custom(first, last)
    assert window.period == "this-month"
    assert said in window.note


def test_unknown_periods_and_names_are_told():
    assert window_of({"period": "’; drop"}, NOON, BERLIN).period == "this-month"
    assert "“fortnight” is no period" in window_of({"period": "fortnight"}, NOON, BERLIN).note
    assert unknown({"period": "7d", "team": "x"}, {"period"}) == "This page has no filter “team”; it was left out."
    assert unknown({"period": "7d"}, {"period"}) == ""


def test_what_a_month_is_compared_with():
    window = window_of({}, NOON, BERLIN)
    found = {how: compared(window, how) for how in ("previous", "weekdays", "last-year", "none", "else")}
    assert [(one.first.isoformat(), one.last.isoformat()) if one else None for one in found.values()] == [
        ("2026-10-01", "2026-10-17"),
        ("2026-10-04", "2026-10-20"),
        ("2025-11-01", "2025-11-17"),
        None,
        None,
    ]
    assert found["weekdays"] and found["weekdays"].first.weekday() == window.first.weekday()
    assert compared_name(window, found["previous"], "previous") == "Same days in Oct"
    assert compared_name(window, found["last-year"], "last-year") == "Last year, 1–17 Nov 2025"


def test_long_windows_do_not_overlap_their_weekdays_and_leap_days_have_a_year_before():
    window = custom("2026-10-01", "2026-10-31")
    other = compared(window, "weekdays")
    assert other and other.last < window.first and (window.first - other.first).days % 7 == 0
    leap = custom("2024-02-29", "2024-02-29")
    other = compared(leap, "last-year")
    assert other and other.first == other.last == date(2023, 2, 28)


def test_nothing_is_compared_before_a_day_is_complete():
    assert compared(window_of({}, at("2026-11-01T12:00"), BERLIN), "previous") is None


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Asia/Kolkata", "2026-11-01", 24),
        ("Asia/Kathmandu", "2026-11-01", 24),
    ],
)
def test_a_day_is_as_long_as_its_zone_says(zone: str, day: str, hours: int):
    window = custom(day, day, ZoneInfo(zone))
    assert window.stops_at - window.starts_at == timedelta(hours=hours)
    assert window.starts_at.astimezone(ZoneInfo(zone)).time().isoformat() == "00:00:00"
    assert window.starts_at.utcoffset() == UTC.utcoffset(None)


# What of the spend


@pytest.fixture
def lena(db: None) -> User:
    return User.objects.create_superuser("lena", password="a-long-horse-for-tests")


@pytest.mark.django_db
def test_a_scope_goes_to_the_address_and_back(lena: User):
    team = Team.objects.create(slug="brand", name="Brand")
    Workflow.objects.create(slug="draft", name="Draft", team=team)
    query = QueryDict("model=a%26b&model=-&model=--&tier=3&tier=-&workflow=draft&tag=k%3Dv&team=&period=7d")
    scope, notes = scope_of(query, lena)
    assert notes == ()
    assert scope.model == ("a&b", "", "-")
    assert (scope.tier, scope.workflow, scope.tag, scope.team) == (("3", "0"), ("draft",), ("k=v",), ())
    assert scope_of(QueryDict(scope.query()), lena)[0] == scope
    assert (scope.wides, scope.only_core) == (("tag",), False)


@pytest.mark.django_db
def test_values_that_cannot_be_are_left_out_and_told(lena: User):
    query = QueryDict("tier=x&status=fine&workflow=nobody&model=a%00b&tag=loose&service_tier=gold")
    scope, notes = scope_of(query, lena)
    assert scope == Scope()
    assert len(notes) == 6
    assert "No workflow is called “nobody”; that filter was left out." in notes


@pytest.mark.django_db
def test_a_merged_workflow_is_the_one_it_was_merged_into(lena: User):
    target = Workflow.objects.create(slug="new", name="New")
    alias = Workflow.objects.create(slug="old", name="Old", status="merged", merged_into=target)
    Workflow.objects.create(slug="other", name="Other")
    scope, _ = scope_of(QueryDict("workflow=old&workflow=new"), lena)
    assert scope.workflow == ("new",)
    params: dict[str, object] = {}
    with connection.cursor() as cursor:
        condition = scope.run_sql(params, "x")
        cursor.execute(
            f"SELECT workflow_id FROM (SELECT id AS workflow_id FROM budgets_workflow) AS x WHERE {condition}", params
        )
        assert sorted(pk for (pk,) in cursor.fetchall()) == sorted([target.pk, alias.pk])


@pytest.mark.django_db
def test_people_of_a_team_are_kept_within_their_workflows():
    brand, other = Team.objects.create(slug="brand", name="Brand"), Team.objects.create(slug="web", name="Web")
    mine = Workflow.objects.create(slug="draft", name="Draft", team=brand)
    Workflow.objects.create(slug="secret", name="Secret", team=other)
    sam = User.objects.create_user("sam")
    Membership.objects.create(user=sam, role="viewer", team=brand)
    scope, notes = scope_of(QueryDict("workflow=secret"), sam)
    assert scope == Scope(within=frozenset({mine.pk}), teams=frozenset({brand.pk}))
    assert notes == ("No workflow is called “secret”; that filter was left out.",)


@pytest.mark.django_db
def test_every_condition_is_sql_that_its_table_understands(lena: User):
    everything = {"team": "t", "provider": "p", "model": "m", "tier": "1", "environment": "e", "service_tier": "batch"}
    everything |= {"stage": "s", "task_type": "k", "status": "ok", "user": "u", "customer": "c", "application": "a"}
    everything |= {"campaign": "c", "channel": "c", "tag": "k=v"}
    scope, notes = scope_of(everything, lena)
    assert notes == () and len(scope.narrowed) == 15
    params: dict[str, object] = {}
    with connection.cursor() as cursor:
        for table, condition in (
            ("usage_coreday", scope.core_sql(params, "x")),
            ("usage_quarterhour", scope.core_sql(params, "x")),
            ("usage_wide_day", scope.wide_sql(params, "tag", "x")),
            ("usage_ledger", scope.ledger_sql(params, "x")),
            ("usage_run", scope.run_sql(params, "x")),
        ):
            cursor.execute(f"SELECT count(*) FROM {table} AS x WHERE {condition}", params)
            assert cursor.fetchone() == (0,)


def test_dashes_are_told_from_not_stated():
    assert [written(one) for one in ("", "-", "--", "a-b")] == ["-", "--", "---", "a-b"]
    assert [read(written(one)) for one in ("", "-", "--", "a-b")] == ["", "-", "--", "a-b"]
