"""Calendar files: read, compared, brought in, undone, written; and files that mean harm."""

import time
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from budgets.activities import edit, importing
from budgets.activities.expand import occurrences
from budgets.activities.reading import BadCalendar, read_calendar
from budgets.activities.values import ActivityValues
from budgets.activities.writing import calendar_file
from budgets.models import AuditEntry, Organisation, PlannedActivity
from budgets.tests.made import ACTOR, NOW, at
from tests.people import viewer

BERLIN, NEW_YORK, KATHMANDU = (ZoneInfo(one) for one in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu"))
DEFAULTS = ActivityValues("", NOW, NOW)


def file_of(*events: str) -> bytes:
    blocks = "".join(f"BEGIN:VEVENT\r\n{one.strip()}\r\nEND:VEVENT\r\n" for one in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{blocks}END:VCALENDAR\r\n".encode()


def event(uid: str = "1", starts: str = "DTSTART;VALUE=DATE:20261110", *more: str) -> str:
    return "\r\n".join([f"UID:{uid}", f"SUMMARY:Event {uid}", starts, *more])


def one(*lines: str, zone: ZoneInfo = BERLIN):
    (found,) = read_calendar(file_of(event("1", *lines)), zone, DEFAULTS)
    return found


@pytest.mark.parametrize(
    ("lines", "starts", "ends", "all_day"),
    [
        (["DTSTART;VALUE=DATE:20261110"], "2026-11-09T23:00Z", "2026-11-10T23:00Z", True),
        (["DTSTART;VALUE=DATE:20261110", "DTEND;VALUE=DATE:20261113"], "2026-11-09T23:00Z", "2026-11-12T23:00Z", True),
        (["DTSTART;VALUE=DATE:20261110", "DTEND;VALUE=DATE:20261110"], "2026-11-09T23:00Z", "2026-11-10T23:00Z", True),
        (["DTSTART:20261110T090000Z", "DTEND:20261110T100000Z"], "2026-11-10T09:00Z", "2026-11-10T10:00Z", False),
        (["DTSTART:20261110T090000", "DURATION:PT90M"], "2026-11-10T08:00Z", "2026-11-10T09:30Z", False),
        (["DTSTART;TZID=America/New_York:20261110T090000", "DTEND;TZID=America/New_York:20261110T100000"],
         "2026-11-10T14:00Z", "2026-11-10T15:00Z", False),
        (["DTSTART;TZID=W. Europe Standard Time:20261110T090000", "DURATION:P1D"],
         "2026-11-10T08:00Z", "2026-11-11T08:00Z", False),
        (["DTSTART;TZID=/citadel.org/20210210_1/America/New_York:20261110T090000"],
         "2026-11-10T14:00Z", "2026-11-10T14:15Z", False),
    ],
)  # fmt: skip
def test_days_times_and_zones(lines, starts, ends, all_day):
    values = one(*lines).values
    assert (values.starts_at, values.ends_at, values.is_all_day) == (at(starts), at(ends), all_day)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["SUMMARY:x"], "does not say when it starts"),
        (["DTSTART:junk"], "not written as calendar files are"),
        (["DTSTART;TZID=Mars/Base:20261110T090000"], "Its time zone, “Mars/Base”, is not known."),
        (["DTSTART:20261110T090000Z", "DTEND:20261109T090000Z"], "It ends before it starts"),
        (["DTSTART:20261110T090000Z", "DTEND:20501109T090000Z"], "two years at most"),
        (["DTSTART:00010101T000000Z"], "none between 1990 and 2110"),
        (["DTSTART:20261110T090000Z", "RRULE:FREQ=SECONDLY;COUNT=1000000"], "days, weeks, months or years"),
        (["DTSTART:20261110T090000Z", "RRULE:FREQ=DAILY;COUNT=1000000"], "from 1 to 5000"),
        (["DTSTART:20261110T090000Z", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"], "never happens"),
        (["DTSTART:20261110T090000Z", "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"], "more than one rule"),
        (["DTSTART;TZID=America/New_York:20261110T230000", "RRULE:FREQ=MONTHLY;BYMONTHDAY=10"], "another time zone"),
        (["DTSTART:20261110T090000Z", "DURATION:P9999999W"], "not understood"),
    ],
)
def test_an_event_that_cannot_be_read_says_why(lines, sentence):
    found = one(*lines)
    assert found.values is None and sentence in found.problem


def days(found, first: str, last: str, zone: ZoneInfo) -> list[str]:
    from budgets.activities.expand import occurrences_of

    row = PlannedActivity(**{name: getattr(found.values, name) for name in found.values.__slots__})
    bounds = (date.fromisoformat(first), date.fromisoformat(last))
    return [f"{one.starts_at.astimezone(zone):%Y-%m-%d %H:%M}" for one in occurrences_of(row, *bounds, zone)]


def test_what_repeats_with_days_left_out_and_an_end_in_utc():
    found = one(
        "DTSTART;TZID=Europe/Berlin:20261016T220000", "DURATION:PT8H",
        "RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20261113T210000Z",
        "EXDATE;TZID=Europe/Berlin:20261030T220000", "EXDATE:20261106T210000Z",
    )  # fmt: skip
    assert days(found, "2026-10-01", "2026-12-31", BERLIN) == [
        "2026-10-16 22:00", "2026-10-23 22:00", "2026-11-13 22:00",
    ]  # fmt: skip


def test_weekdays_of_another_zone_fall_on_ours():
    lines = ["DTSTART;TZID=America/New_York:20261102T200000", "DURATION:PT1H"]
    found = one(*lines, "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4", zone=KATHMANDU)
    assert days(found, "2026-11-01", "2026-12-31", KATHMANDU) == [
        "2026-11-03 06:45", "2026-11-05 06:45", "2026-11-10 06:45", "2026-11-12 06:45",
    ]  # fmt: skip
    assert found.note == "Repeats at 06:45 of this calendar’s time zone."


@pytest.mark.django_db
def test_a_moved_and_a_cancelled_date_of_a_series():
    series = event("s", "DTSTART;VALUE=DATE:20261102", "RRULE:FREQ=WEEKLY")
    moved = event("s", "DTSTART;VALUE=DATE:20261111", "RECURRENCE-ID;VALUE=DATE:20261109")
    off = event("s", "DTSTART;VALUE=DATE:20261116", "RECURRENCE-ID;VALUE=DATE:20261116", "STATUS:CANCELLED")
    plan = importing.plan(read_calendar(file_of(series, moved, off), ZoneInfo("UTC"), DEFAULTS))
    importing.carry_out(ACTOR, plan, "a.ics")
    found = occurrences(date(2026, 11, 1), date(2026, 11, 30))
    assert [str(one.first) for one in found] == ["2026-11-02", "2026-11-11", "2026-11-23", "2026-11-30"]


@pytest.mark.django_db
def test_import_again_tells_new_changed_gone_and_same_and_undo_brings_all_back():
    zone = ZoneInfo("UTC")
    first = read_calendar(file_of(event("a"), event("b"), event("c")), zone, replace(DEFAULTS, kind="launch"))
    importing.carry_out(ACTOR, importing.plan(first), "team.ics")
    PlannedActivity.objects.filter(uid="a").update(expects="less")
    off = ("DTSTART;VALUE=DATE:20261110", "STATUS:CANCELLED")
    again = [
        event("a", "DTSTART;VALUE=DATE:20261120"), event("b"), event("c", *off), event("d"), event("d"),
        event("x", "DTSTART:junk"), event("y", *off),
    ]  # fmt: skip
    plan = importing.plan(read_calendar(file_of(*again), zone, DEFAULTS))
    assert ([one.uid for one in plan.new], [one.fields for one in plan.changed], plan.same, plan.ignored) == (
        ["d"], [("starts_at", "ends_at")], 1, 1,
    )  # fmt: skip
    assert [one.problem[:20] for one in plan.unreadable] == ["Its UID stands twice", "It is not written as"]
    token = importing.carry_out(ACTOR, plan, "team.ics")
    rows = {row.uid: row for row in PlannedActivity.objects.all()}
    assert set(rows) == {"a", "b", "d"}
    assert (rows["a"].kind, rows["a"].expects, rows["d"].kind) == ("launch", "less", "campaign")
    assert [one.count for one in importing.recent()] == [3, 3]
    edit.change_activity(ACTOR, rows["d"], replace(ActivityValues.of_row(rows["d"]), name="Ours now"))
    assert importing.undo_import(ACTOR, token) == (2, 1)
    rows = {row.uid: row for row in PlannedActivity.objects.all()}
    assert set(rows) == {"a", "b", "c", "d"} and str(rows["a"].starts_at.date()) == "2026-11-10"
    assert importing.undo_import(ACTOR, "none") == (0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, KATHMANDU])
def test_what_is_written_is_read_the_same(zone):
    Organisation.objects.update(time_zone=zone.key)
    for lines in (
        ["DTSTART;VALUE=DATE:20261110", "RRULE:FREQ=WEEKLY;BYDAY=TU,FR;UNTIL=20270301", "EXDATE;VALUE=DATE:20261113"],
        ["DTSTART:20261016T220000", "DURATION:PT8H", "RRULE:FREQ=DAILY;UNTIL=20261220", "EXDATE:20261101T220000"],
        ["DTSTART:20261110T090000Z", "DTEND:20261110T100000Z", "DESCRIPTION:Two\\, three; and\\nfour"],
    ):
        edit.create_activity(ACTOR, replace(one(*lines, zone=zone).values, uid="", expects="less", kind="batch"))
    rows = list(PlannedActivity.objects.all())
    content = calendar_file(rows, zone, NOW)
    assert b"BEGIN:VTIMEZONE" in content
    plan = importing.plan(read_calendar(content, zone, DEFAULTS))
    assert (plan.same, plan.new, plan.changed, plan.unreadable) == (3, (), (), ())
    read = read_calendar(content, zone, DEFAULTS)
    assert {(one.values.kind, one.values.expects) for one in read} == {("batch", "less")}


HARM = {
    "not text": (b"\xff\xfe\x00\x01" * 50, "not text in UTF-8"),
    "no calendar": (b"hello", "does not begin with BEGIN:VCALENDAR"),
    "too large": (b"BEGIN:VCALENDAR\r\n" + b"X" * 2**20, "larger than one megabyte"),
    "too many": (file_of(*["UID:1"] * 2001), "more than 2,000 events"),
    "too deep": (b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 20_000, "nested deeper"),
    "too many lines": (b"BEGIN:VCALENDAR\r\n" + b"A\r\n" * 70_000, "too many lines"),
}


@pytest.mark.parametrize("name", HARM)
def test_files_that_mean_harm_get_a_sentence_at_once(name):
    content, sentence = HARM[name]
    started = time.monotonic()
    with pytest.raises(BadCalendar, match=sentence):
        read_calendar(content, BERLIN, DEFAULTS)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "lines",
    [
        ["DTSTART:20261110T090000Z", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=5000"],
        ["DTSTART;" + "X=;" * 2600 + ":20261110T090000Z"],
        ["DTSTART:20261110T090000Z", "RRULE:FREQ=YEARLY;BYDAY=" + ",".join(["1MO"] * 2000)],
        ["DTSTART:20261110T090000Z", "RRULE:FREQ=DAILY", "EXDATE:" + ",".join(["20261110T090000Z"] * 460)],
        ["DTSTART:20261110T090000Z", "BEGIN:VALARM", "TRIGGER:-PT15M", "DTSTART:junk", "END:VALARM"],
    ],
)
def test_harmful_events_are_told_or_read_within_bounds(lines):
    started = time.monotonic()
    found = one(*lines)
    assert bool(found.values) != bool(found.problem)
    assert time.monotonic() - started < 2


def test_a_file_of_slow_rules_ends_by_the_clock(monkeypatch):
    monkeypatch.setattr("budgets.activities.reading.SECONDS", 0.2)
    slow = [event(str(n), "DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;COUNT=5000") for n in range(300)]
    with pytest.raises(BadCalendar, match="too long to read"):
        read_calendar(file_of(*slow), BERLIN, DEFAULTS)


@pytest.fixture
def boss(client):
    client.force_login(User.objects.create_superuser("boss"))
    return client


CHOICES = {"kind": "campaign", "expects": "more", "team": ""}


def preview_of(client, content: bytes):
    return client.post("/calendar/import/", CHOICES | {"file": SimpleUploadedFile("team.ics", content)})


def kept(answer) -> dict[str, str]:
    preview = answer.context["preview"]
    return CHOICES | {"content": preview["content"], "file_name": "team.ics", "mark": preview["plan"].mark}


@pytest.mark.django_db
def test_the_page_shows_first_then_imports_then_undoes(boss):
    answer = preview_of(boss, file_of(event("a"), event("b", "DTSTART:junk")))
    words = answer.content.decode()
    assert "Nothing is imported yet" in words and "It is not written as calendar files are." in words
    assert not PlannedActivity.objects.exists()
    done = boss.post("/calendar/import/", kept(answer), follow=True).content.decode()
    assert "Imported: 1 new." in done and PlannedActivity.objects.count() == 1
    past = boss.get("/calendar/import/").content.decode()
    assert "team.ics" in past and "1 change" in past
    token = importing.recent()[0].token
    assert "1 as before" in boss.post(f"/calendar/import/{token}/undo/", follow=True).content.decode()
    assert not PlannedActivity.objects.exists()
    again = boss.post(f"/calendar/import/{token}/undo/", follow=True).content.decode()
    assert "Nothing was undone" in again
    assert boss.post("/calendar/import/none/undo/").status_code == 404
    assert AuditEntry.objects.filter(act="removed").count() == 1


@pytest.mark.django_db
def test_what_changed_since_the_preview_is_shown_again(boss):
    answer = preview_of(boss, file_of(event("a")))
    boss.post("/calendar/import/", kept(answer))
    late = boss.post("/calendar/import/", kept(answer))
    assert late.status_code == 409 and "changed since you looked" in late.content.decode()
    for content in ("junk!", "eJw=", "x" * 100):
        assert boss.post("/calendar/import/", kept(answer) | {"content": content}).status_code == 422
    assert boss.post("/calendar/import/", CHOICES).status_code == 422
    assert preview_of(boss, b"hello").status_code == 422
    assert preview_of(boss, b"").status_code == 422
    boss.force_login(viewer("kim"))
    assert preview_of(boss, b"hello").status_code == 403


@pytest.mark.django_db
def test_the_calendar_as_a_file(boss):
    boss.post("/calendar/import/", kept(preview_of(boss, file_of(event("a")))))
    answer = boss.get("/export/calendar.ics")
    assert answer["Content-Type"] == "text/calendar" and b"UID:a" in answer.content
    assert b"UID:a" not in boss.get("/export/calendar.ics?team=none").content
