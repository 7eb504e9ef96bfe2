"""The explorer's query: whatever is asked, from whatever table, it equals a plain loop over the ledger."""

import random
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from budgets.models import Organisation, Workflow
from reports.asking.scope import CORE, DIMENSIONS, WIDE, Scope
from reports.asking.window import Window, window_of
from reports.spend import sums
from reports.spend.cells import source_of
from reports.spend.sums import hours_of, spend, sum_of, top
from reports.tests.spent import NOW, fill_ledger, ledger_rows, plain_groups, plain_used, values_of
from usage.ledger.partitions import forget

ZONES = ["Asia/Kolkata", "Asia/Kathmandu", "America/New_York"]
PAIRS = [("team", "model"), ("workflow", "tier"), ("user", "model"), ("user", "stage"), ("customer", "channel")]


def days(first: str, last: str, zone: str) -> Window:
    return window_of({"period": "custom", "from": first, "to": last}, NOW, ZoneInfo(zone))


def inside(scope: Scope, window: Window) -> list[dict]:
    """The ledger's rows that the scope and window cover, by a loop."""
    found = []
    for row in ledger_rows():
        if not window.first <= row["posted_at"].astimezone(window.zone).date() <= window.last:
            continue
        if scope.within is not None and row["workflow_id"] not in scope.within:
            continue
        if all(set(values_of(row, one)) & set(scope.values(one)) for one in scope.narrowed):
            found.append(row)
    return found


def assert_equal(scope: Scope, window: Window, group: tuple[str, ...]) -> None:
    rows = inside(scope, window)
    answer = spend(scope, window, group)
    found = {row.keys: row.used for row in answer.rows}
    expected = plain_groups(rows, lambda row: list(product(*(values_of(row, one) for one in group))))
    if answer.how == "rollup" and "tag" in group:  # calls without a tag are not among the tags
        expected = {key: used for key, used in expected.items() if key[group.index("tag")]}
    assert found == expected, (scope, group)
    assert answer.total == plain_used(rows), (scope, group)
    if "tag" not in group:
        assert sum_of(row.used for row in answer.rows) == answer.total
    daily = spend(scope, window, group, "day")
    by_day = plain_groups(rows, lambda row: [row["posted_at"].astimezone(window.zone).date()])
    if "tag" not in group:
        assert daily.by_time() == by_day, (scope, group)


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ZONES)
def test_every_grouping_equals_the_ledger(zone: str) -> None:
    forget()
    fill_ledger(zone)
    month, custom = window_of({}, NOW, ZoneInfo(zone)), days("2026-10-25", "2026-11-03", zone)
    for dimension in DIMENSIONS:
        assert_equal(Scope(), custom, (dimension,))
    for pair in PAIRS:
        assert_equal(Scope(), custom, pair)
    assert_equal(Scope(), month, ())
    roll = random.Random(zone)
    rows = ledger_rows()
    assert len(rows) == 260
    for _ in range(25):
        scope = Scope()
        for dimension in roll.sample(DIMENSIONS, roll.randrange(1, 4)):
            scope = scope.only(
                dimension, *{value for row in roll.sample(rows, 2) for value in values_of(row, dimension)}
            )
        assert_equal(scope, custom, roll.choice([(), (roll.choice(DIMENSIONS),), roll.choice(PAIRS)]))
    mine = frozenset(Workflow.objects.filter(slug__in=["ads", "old-ads"]).values_list("pk", flat=True))
    assert_equal(Scope(within=mine), custom, ("workflow",))
    assert_equal(Scope(within=mine), custom, ("user",))
    assert_equal(Scope(within=frozenset()), custom, ("model",))


@pytest.mark.django_db
def test_days_follow_a_new_zone_before_they_are_summed_anew() -> None:
    forget()
    fill_ledger("America/New_York", 120)
    Organisation.objects.update(time_zone="Asia/Kathmandu")
    assert_equal(Scope(), days("2026-10-25", "2026-11-03", "Asia/Kathmandu"), ("model",))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "day", "many"),
    [("America/New_York", "2026-11-01", 25), ("Asia/Kolkata", "2026-11-01", 24), ("Asia/Kathmandu", "2026-11-01", 24)],
)
@pytest.mark.parametrize("group", ["model", "user"])
def test_hours_of_a_day_are_as_many_as_its_clock_shows(zone: str, day: str, many: int, group: str) -> None:
    forget()
    fill_ledger(zone, 400)
    window = days(day, day, zone)
    hours = hours_of(window)
    assert len(hours) == many
    assert hours[0].astimezone(window.zone).strftime("%d %H:%M") == "01 00:00"
    answer = spend(Scope(), window, (group,), "hour")
    rows = inside(Scope(), window)
    assert rows and answer.how == ("rollup" if group == "model" else "ledger")
    starts = [max(hour for hour in hours if hour <= row["posted_at"]) for row in rows]
    expected = {at: plain_used(row for row, start in zip(rows, starts, strict=True) if start == at) for at in starts}
    assert answer.by_time() == {at: used for at, used in expected.items() if not used.is_nothing}


@pytest.mark.django_db
def test_others_are_one_row_and_what_comes_after_the_dearest_too(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    fill_ledger("UTC", 80)
    window = days("2026-10-01", "2026-11-04", "UTC")
    whole = spend(Scope(), window, ("user",))
    named = top(whole, "cost", 2)
    assert named == [row.keys[0] for row in whole.rows[:2]]
    daily = spend(Scope(), window, ("user",), "day", named)
    assert {row.keys[0] for row in daily.rows} == {*named, None}
    assert sum_of(row.used for row in daily.rows) == whole.total
    for group in (("user",), ("user", "model")):  # one that is stated: by its key, all others as what is left
        daily = spend(Scope(), window, group, "day", ["ana"])
        expected = spend(Scope(user=("ana",)), window, group[1:], "day")
        mine = {(row.at, *row.keys[1:]): row.used for row in daily.rows if row.keys[0] == "ana"}
        assert mine == {(row.at, *row.keys): row.used for row in expected.rows} != {}
        assert daily.by_time() == spend(Scope(), window, (), "day").by_time()
    monkeypatch.setattr(sums, "MOST_ROWS", 2)
    few = spend(Scope(), window, ("user",))
    assert [row.keys for row in few.rows] == [*(row.keys for row in whole.rows[:2]), (None,)]
    assert (few.total, few.rows[2].used) == (whole.total, sum_of(row.used for row in whole.rows[2:]))


@pytest.mark.django_db
def test_the_ledger_is_read_for_no_more_than_the_newest_days(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    fill_ledger("UTC", 120)
    window = days("2026-10-01", "2026-11-04", "UTC")
    asked = Scope(customer=("acme",), stage=("draft",))
    whole = spend(asked, window, ("model",))
    assert (whole.how, whole.cut, whole.window) == ("ledger", False, window)
    monkeypatch.setattr(sums, "READ_MOST", 30)
    part = spend(asked, window, ("model",))
    assert part.cut and window.first < part.window.first < part.window.last == window.last
    assert spend(Scope(), part.window).total.calls <= 30
    assert part.total == plain_used(inside(asked, part.window))
    monkeypatch.setattr(sums, "READ_MOST", 0)
    assert spend(asked, window, ()).window.first == max(row["posted_at"].date() for row in inside(Scope(), window))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO usage_detached_month (month, row_count) VALUES ('2026-10-01', 5)")
    monkeypatch.setattr(sums, "READ_MOST", 1000)
    assert spend(asked, window, ()).window.first.isoformat() == "2026-11-02"


def test_which_table_answers() -> None:
    assert {source_of(Scope(), (one,), "none") for one in CORE} == {"core"}
    assert [source_of(Scope(), (one,), "day") for one in WIDE] == list(WIDE)
    assert source_of(Scope(model=("a",)), ("stage", "team"), "hour") == "hours"
    assert source_of(Scope(user=("ana",), model=("a",)), ("workflow",), "day") == "user"
    assert source_of(Scope(user=("ana",)), ("stage",), "day") == "ledger"
    assert source_of(Scope(user=("",)), (), "day") == "ledger"
    assert source_of(Scope(user=("ana",)), ("customer",), "none") == "ledger"
    assert source_of(Scope(tag=("a=b",)), ("model",), "none") == "tag"
    assert source_of(Scope(tag=("a=b", "c=d")), ("model",), "none") == "ledger"
    assert source_of(Scope(tag=("a=b",)), ("tag",), "none") == "ledger"
    assert source_of(Scope(), ("user",), "hour") == "ledger"


def test_only_dimensions_there_are() -> None:
    with pytest.raises(ValueError, match="no such dimension: price"):
        spend(Scope(), days("2026-11-01", "2026-11-02", "UTC"), ("price",))
