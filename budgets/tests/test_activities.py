"""Planned activity: what repeats across clock changes, what it may be, history and undo, its pages and API."""

import random
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from django.contrib.auth.models import User

from budgets.activities import edit
from budgets.activities.expand import occurrences
from budgets.activities.month import Month, month_of
from budgets.activities.recurrence import WEEKDAYS, BadRule, dates, in_words, parse
from budgets.activities.values import ActivityValues
from budgets.audit.newest import newest_entry
from budgets.models import AuditEntry, Organisation, PlannedActivity, Team, Workflow
from budgets.tests.made import ACTOR, at, at_once
from tests.people import viewer

NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))
LAUNCH = ActivityValues("Launch", at("2026-11-10T00:00Z"), at("2026-11-12T00:00Z"))
NIGHT = ActivityValues(
    "Batch", at("2026-03-27T21:00Z"), at("2026-03-28T05:00Z"), is_all_day=False, kind="batch", recurrence="FREQ=DAILY"
)


def days_of(text: str, start: str, first: str, last: str) -> list[str]:
    day = date.fromisoformat
    return [str(one) for one in dates(parse(text, day(start)), day(start), day(first), day(last))]


@pytest.mark.parametrize(
    ("rule", "start", "first", "last", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=FR", "2020-01-03", "2026-11-01", "2026-11-14", ["2026-11-06", "2026-11-13"]),
        ("FREQ=WEEKLY;INTERVAL=2", "2026-11-02", "2026-11-03", "2026-11-30", ["2026-11-16", "2026-11-30"]),
        ("FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,SU;WKST=SU", "2024-01-07", "2024-01-08", "2024-02-01",
         ["2024-01-08", "2024-01-28", "2024-01-29"]),
        ("FREQ=DAILY;INTERVAL=10;COUNT=4", "2026-11-01", "2026-01-01", "2027-12-31",
         ["2026-11-01", "2026-11-11", "2026-11-21", "2026-12-01"]),
        ("FREQ=MONTHLY", "2026-01-31", "2026-01-01", "2026-06-30", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2020-01-31", "2026-10-30", "2026-11-30", ["2026-10-30", "2026-11-27"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-30", "2026-05-01", "2026-05-31", ["2026-05-29"]),
        ("FREQ=MONTHLY;INTERVAL=5", "2020-02-10", "2026-01-01", "2026-12-31", ["2026-05-10", "2026-10-10"]),
        ("FREQ=YEARLY", "2020-02-29", "2021-01-01", "2029-12-31", ["2024-02-29", "2028-02-29"]),
        ("FREQ=YEARLY;BYDAY=4TH;BYMONTH=11", "2001-11-22", "2026-01-01", "2026-12-31", ["2026-11-26"]),
        ("FREQ=DAILY;UNTIL=20261103T120000Z", "2026-11-01", "2026-01-01", "2027-01-01",
         ["2026-11-01", "2026-11-02", "2026-11-03"]),
    ],
)  # fmt: skip
def test_days_of_a_rule(rule, start, first, last, expected):
    assert days_of(rule, start, first, last) == expected


@pytest.mark.parametrize("rule", ["FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=TU,SA", "FREQ=MONTHLY;INTERVAL=2",
                                  "FREQ=MONTHLY;BYDAY=2WE", "FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=15"])  # fmt: skip
def test_a_late_stretch_is_what_counting_from_the_start_gives(rule):
    start, first, last = date(2011, 5, 17), date(2026, 1, 1), date(2027, 12, 31)
    parsed = parse(rule, start)
    assert list(dates(parsed, start, first, last)) == [one for one in dates(parsed, start, start, last) if one >= first]
    assert parse(str(parsed), start) == parsed


def test_rules_give_the_same_days_as_dateutil():
    chance, compared = random.Random(5), 0
    for _ in range(1500):
        start = date(2020, 1, 1) + timedelta(days=chance.randrange(2000))
        text = a_rule(chance)
        try:
            ours = parse(text, start)
        except BadRule:
            continue
        first = start + timedelta(days=chance.randrange(900))
        last = first + timedelta(days=400)
        theirs = rrulestr(str(ours), dtstart=datetime.combine(start, datetime.min.time()))
        bounds = (datetime.combine(day, datetime.min.time()) for day in (first, last))
        assert list(dates(ours, start, first, last)) == [one.date() for one in theirs.between(*bounds, inc=True)], text
        compared += 1
    assert compared > 1000


def a_rule(chance: random.Random) -> str:
    frequency = chance.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={frequency}", f"INTERVAL={chance.choice([1, 1, 2, 3, 5])}"]
    weekdays = chance.sample(WEEKDAYS, chance.choice([1, 2, 3]))
    if chance.random() < 0.5:
        if frequency in {"MONTHLY", "YEARLY"} and chance.random() < 0.5:
            weekdays = [f"{chance.choice([1, 2, 3, 4, 5, -1, -2])}{one}" for one in weekdays]
        parts.append(f"BYDAY={','.join(weekdays)}")
    if chance.random() < 0.3:
        parts.append(f"BYMONTH={','.join(map(str, chance.sample(range(1, 13), 3)))}")
    if chance.random() < 0.3 and frequency != "WEEKLY":
        parts.append(f"BYMONTHDAY={','.join(map(str, chance.sample([1, 5, 15, 29, 30, 31, -1, -3], 3)))}")
    if chance.random() < 0.2 and frequency in {"MONTHLY", "YEARLY"}:
        parts.append(f"BYSETPOS={chance.choice([1, 2, -1])}")
    if chance.random() < 0.2:
        parts.append(f"WKST={chance.choice(['SU', 'WE'])}")
    if chance.random() < 0.2:
        parts.append(f"COUNT={chance.randrange(1, 40)}")
    return ";".join(parts)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("FREQ=SECONDLY;COUNT=1000000", "days, weeks, months or years"),
        ("FREQ=HOURLY", "days, weeks, months or years"),
        ("FREQ=DAILY;BYHOUR=1,2,3", "BYHOUR"),
        ("FREQ=DAILY;COUNT=1000000", "from 1 to 5000"),
        ("FREQ=DAILY;INTERVAL=0", "from 1 to 1000"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "never happens"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", "never happens"),
        ("FREQ=WEEKLY;BYDAY=XX", "no weekday"),
        ("FREQ=WEEKLY;BYDAY=1MO", "first or last"),
        ("FREQ=WEEKLY;UNTIL=someday", "is no day"),
        ("FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["1"] * 100), "too many parts"),
        ("", "days, weeks, months or years"),
    ],
)
def test_rules_that_cannot_be_used_say_why_at_once(rule, sentence):
    started = time.monotonic()
    with pytest.raises(BadRule, match=sentence):
        parse(rule, date(2026, 1, 1))
    assert time.monotonic() - started < 1


def test_rules_in_words():
    start = date(2026, 11, 6)
    assert in_words(parse("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;UNTIL=20261218", start)) == (
        "Every 2 weeks on Mon, Fri until 18 Dec 2026"
    )
    assert in_words(parse("FREQ=MONTHLY;BYDAY=-1FR", start)) == "Every month on the last Fri"
    assert in_words(parse("FREQ=MONTHLY;BYMONTHDAY=-1", start)) == "Every month on the last day"


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Asia/Kolkata"])
def test_a_nightly_batch_keeps_its_wall_clock_across_the_clock_change(zone):
    Organisation.objects.update(time_zone=zone)
    tz = ZoneInfo(zone)
    starts = datetime(2026, 3, 1, 22, tzinfo=tz)
    edit.create_activity(ACTOR, replace(NIGHT, starts_at=starts, ends_at=datetime(2026, 3, 2, 6, tzinfo=tz)))
    found = occurrences(date(2026, 3, 1), date(2026, 11, 5))
    assert len(found) == 250
    assert {(one.starts_at.astimezone(tz).hour, one.ends_at.astimezone(tz).hour) for one in found} == {(22, 6)}
    assert all(one.last - one.first == timedelta(days=1) for one in found)
    lengths = {one.ends_at - one.starts_at for one in found}
    changes = {"Europe/Berlin", "America/New_York"}
    assert lengths == ({timedelta(hours=n) for n in (7, 8, 9)} if zone in changes else {timedelta(hours=8)})


@pytest.mark.django_db
def test_occurrences_touch_the_days_asked_for():
    edit.create_activity(ACTOR, LAUNCH)
    edit.create_activity(
        ACTOR, replace(NIGHT, recurrence="", starts_at=at("2026-11-30T22:00Z"), ends_at=at("2026-12-01T06:00Z"))
    )
    assert [(one.activity.name, str(one.first), str(one.last)) for one in occurrences(*NOVEMBER)] == [
        ("Launch", "2026-11-10", "2026-11-11"), ("Batch", "2026-11-30", "2026-12-01"),
    ]  # fmt: skip
    assert [one.activity.name for one in occurrences(date(2026, 12, 1), date(2026, 12, 1))] == ["Batch"]
    assert not occurrences(date(2026, 11, 12), date(2026, 11, 29))


@pytest.mark.django_db
def test_teams_see_their_own_and_what_is_for_everybody(django_assert_num_queries):
    brand, other = (Team.objects.create(slug=slug, name=slug) for slug in ("brand", "other"))
    briefs = Workflow.objects.create(slug="briefs", name="Briefs", team=brand)
    for name, more in (("all", {}), ("brand", {"team_id": brand.pk}), ("flow", {"workflow_id": briefs.pk}),
                       ("other", {"team_id": other.pk})):  # fmt: skip
        edit.create_activity(ACTOR, replace(LAUNCH, name=name, **more))
    with django_assert_num_queries(2):
        assert [one.activity.name for one in occurrences(*NOVEMBER, team="brand")] == ["all", "brand", "flow"]
    assert len(occurrences(*NOVEMBER)) == 4


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " "}, "name"),
        ({"kind": "party"}, "kind"),
        ({"ends_at": at("2026-11-10T00:00Z")}, "ends_at"),
        ({"ends_at": at("2030-11-10T00:00Z")}, "ends_at"),
        ({"starts_at": at("1990-11-10T00:00Z")}, "starts_at"),
        ({"factor": Decimal("0.5")}, "factor"),
        ({"factor": Decimal("NaN")}, "factor"),
        ({"factor": Decimal("1.234")}, "factor"),
        ({"expects": "none", "factor": Decimal(2)}, "factor"),
        ({"expects": "lots"}, "expects"),
        ({"recurrence": "FREQ=MINUTELY"}, "recurrence"),
        ({"recurrence": "FREQ=DAILY", "ends_at": at("2027-11-10T00:00Z")}, "ends_at"),
        ({"skipped_days": ("2026-13-01",)}, "skipped_days"),
        ({"uid": "x" * 300}, "uid"),
    ],
)
def test_what_an_activity_may_not_be(changed, field):
    with pytest.raises(edit.InvalidActivity) as told:
        edit.create_activity(ACTOR, replace(LAUNCH, **changed))
    assert field in told.value.problems and not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_change_remove_and_undo():
    row = edit.create_activity(ACTOR, LAUNCH)
    edit.change_activity(ACTOR, row, replace(LAUNCH, name="Big launch", factor=Decimal("1.5")))
    changed = newest_entry(PlannedActivity, row.pk)
    edit.remove_activity(ACTOR, row)
    assert not PlannedActivity.objects.exists()
    with pytest.raises(edit.RefusedActivity):
        edit.undo_activity(ACTOR, changed)
    with pytest.raises(edit.RefusedActivity):
        edit.change_activity(ACTOR, row, LAUNCH)
    edit.undo_activity(ACTOR, newest_entry(PlannedActivity, row.pk))
    assert PlannedActivity.objects.get(pk=row.pk).factor == Decimal("1.5")
    edit.undo_activity(ACTOR, newest_entry(PlannedActivity, row.pk))
    assert not PlannedActivity.objects.exists()
    assert PlannedActivity.objects.create(name="Next", starts_at=LAUNCH.starts_at, ends_at=LAUNCH.ends_at).pk != row.pk


@pytest.mark.django_db(transaction=True)
def test_of_two_who_undo_at_once_one_does():
    row = edit.create_activity(ACTOR, LAUNCH)
    edit.remove_activity(ACTOR, row)
    entry = newest_entry(PlannedActivity, row.pk)

    def undo():
        try:
            return edit.undo_activity(ACTOR, entry)
        except Exception as error:
            return type(error).__name__

    assert sorted(at_once(undo, undo)) == ["Launch", "RefusedActivity"]
    assert PlannedActivity.objects.count() == 1


def test_a_month_is_whole_weeks_from_monday():
    month = Month.of(date(2026, 11, 22), date(2026, 11, 22))
    weeks = month.weeks([])
    assert (str(weeks[0][0].date), str(weeks[-1][-1].date)) == ("2026-10-26", "2026-12-06")
    assert (month.previous, month.next) == ("2026-10", "2026-12")
    assert [month_of(one) for one in ("2026-11", "2026-1", "0001-01", "junk", "2026-11-01", "")] == [
        date(2026, 11, 1), None, None, None, None, None,
    ]  # fmt: skip
    assert Month.of(date(2100, 12, 5), date(2026, 1, 1)).next == ""


FORM = {
    "name": "Launch", "kind": "launch", "first_day": "2026-11-10", "last_day": "2026-11-11", "timed": "",
    "repeats": "", "expects": "more", "factor": "1.5",
}  # fmt: skip


@pytest.fixture
def boss(client):
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.mark.django_db
def test_the_month_the_list_the_csv_and_the_file_show_the_same(boss):
    Organisation.objects.update(time_zone="Asia/Kathmandu")
    assert "Nothing is planned yet" in boss.get("/calendar/").content.decode()
    boss.post("/calendar/new/", FORM)
    boss.post("/calendar/new/", FORM | {
        "name": "Night", "kind": "batch", "timed": "1", "start_time": "22:00", "end_time": "06:00",
        "last_day": "2026-11-11", "repeats": "weekly", "on_days": ["TU", "TH"], "until": "2026-11-20",
        "skipped": "2026-11-12",
    })  # fmt: skip
    row = PlannedActivity.objects.get(name="Night")
    assert row.starts_at == datetime(2026, 11, 10, 16, 15, tzinfo=UTC)
    assert (row.recurrence, row.skipped_days) == ("FREQ=WEEKLY;BYDAY=TU,TH;UNTIL=20261120", ["2026-11-12"])
    page = boss.get("/calendar/?month=2026-11").content.decode()
    assert page.count("</span>Launch</span>") == 2 and "22:00" in page and "November 2026" in page
    listed = boss.get("/calendar/?month=2026-11&view=list").content.decode()
    assert "4 in November 2026" in listed and "Every week on Tue, Thu until 20 Nov 2026" in listed
    assert "More use than usual, about 1.5 times" in listed
    lines = b"".join(boss.get("/export/calendar.csv?month=2026-11")).decode().splitlines()
    assert len(lines) == 5 and "2026-11-17T22:00:00+05:45" in "".join(lines)
    assert len(b"".join(boss.get("/export/calendar.csv?month=2026-11&kind=launch")).decode().splitlines()) == 2
    assert "Nothing is planned in this month" in boss.get("/calendar/?month=2026-10&view=list").content.decode()
    noted = boss.get("/calendar/?month=junk&kind=party&team=x").content.decode()
    assert "“junk” is no month; “party” is no kind of activity; it was ignored." in noted
    form = boss.get(f"/calendar/{row.pk}/").content.decode()
    assert 'value="22:00"' in form and "Now: Every week on Tue, Thu until 20 Nov 2026." in form
    boss.post(f"/calendar/{row.pk}/", FORM | {
        "name": "Night", "kind": "batch", "timed": "1", "start_time": "22:00", "end_time": "06:00",
        "last_day": "2026-11-11", "repeats": "weekly", "on_days": ["TU", "TH"], "until": "2026-11-20",
        "skipped": "2026-11-12",
    })  # fmt: skip
    assert newest_entry(PlannedActivity, row.pk).act == "created"  # saved as it was: no change


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": ""}, "This field is required"),
        ({"last_day": "2026-11-01"}, "It ends before it starts"),
        ({"last_day": "9999-12-31"}, "Choose a day between 2000 and 2100"),
        ({"timed": "1"}, "Enter a time like 22:00."),
        ({"factor": "0.2"}, "More than usual is a number above 1"),
        ({"workflow": "nothing"}, "There is no workflow called “nothing”."),
        ({"repeats": "weekly", "until": "2026-01-01"}, "By its rule it never happens."),
        ({"repeats": "weekly", "skipped": "Christmas"}, "Write the days like 2026-12-25"),
    ],
)
def test_what_is_wrong_is_said_with_422(boss, changed, sentence):
    answer = boss.post("/calendar/new/", FORM | changed)
    assert answer.status_code == 422 and sentence in answer.content.decode()


@pytest.mark.django_db
def test_remove_and_undo_on_the_page(boss, client):
    boss.post("/calendar/new/", FORM)
    row = PlannedActivity.objects.get()
    page = boss.post(f"/calendar/{row.pk}/remove/", follow=True).content.decode()
    assert "Launch is removed from the calendar." in page
    entry = newest_entry(PlannedActivity, row.pk)
    assert f"/calendar/undo/{entry.pk}/" in page
    boss.post(f"/calendar/undo/{entry.pk}/")
    assert PlannedActivity.objects.get().pk == row.pk
    assert "no longer in the calendar" in boss.post("/calendar/999999/remove/", follow=True).content.decode()
    client.force_login(viewer("kim"))
    assert client.post(f"/calendar/{row.pk}/remove/").status_code == 403
    assert client.get("/calendar/new/").status_code == 403
    assert b"takes the right to change planned activity" in client.get("/calendar/").content


@pytest.mark.django_db
def test_statements_do_not_grow_with_rows(boss, django_assert_num_queries):
    team = Team.objects.create(slug="brand", name="Brand")
    for n in range(3):
        edit.create_activity(ACTOR, replace(LAUNCH, name=f"L{n}", team_id=team.pk))
    for view in ("", "&view=list"):
        boss.get("/calendar/?month=2026-11")
        with django_assert_num_queries(6):
            boss.get(f"/calendar/?month=2026-11{view}")
    for n in range(30):
        edit.create_activity(ACTOR, replace(LAUNCH, name=f"M{n}", recurrence="FREQ=DAILY"))
    with django_assert_num_queries(6):
        assert "more" in boss.get("/calendar/?month=2026-11").content.decode()
