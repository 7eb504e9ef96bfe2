"""Read an iCalendar file: each event as values, or the reason why it cannot be. Bounded in size, depth and time.

Every VEVENT is cut out and parsed alone, so that a broken one costs nothing but itself. Time zones are the tz
database's, or Windows' names for them; floating times are the organisation's. A changed single date of what repeats
(RECURRENCE-ID) becomes an activity of its own, and its day is left out of the repetition.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from icalendar import Event

from budgets.activities.recurrence import WEEKDAYS, BadRule, parse
from budgets.activities.values import ActivityValues, checked
from budgets.models import PlannedActivity

MOST_BYTES, MOST_EVENTS, MOST_LINES, MOST_DEPTH = 2**20, 2_000, 60_000, 5
MOST_LINES_OF_ONE, LONGEST_LINE, SECONDS = 500, 8_000, 8.0
DAY = timedelta(days=1)


class BadCalendar(ValueError):
    """Why a file cannot be read at all, in a sentence."""


class BadEvent(ValueError):
    """Why one event cannot be read, in a sentence."""


@dataclass(frozen=True, slots=True)
class Found:
    """One event: its values, or in `problem` why there are none. `is_off`: the file says that it is cancelled."""

    title: str
    values: ActivityValues | None = None
    problem: str = ""
    note: str = ""
    is_off: bool = False
    uid: str = ""


def read_calendar(content: bytes, zone: ZoneInfo, defaults: ActivityValues) -> list[Found]:
    """Every event of the file, in its order. `defaults`: kind, team and so on of those that do not say.

    Raises BadCalendar.
    """
    if len(content) > MOST_BYTES:
        raise BadCalendar("The file is larger than one megabyte. Export a shorter time from your calendar.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadCalendar("This is no calendar file: it is not text in UTF-8. Choose an .ics file.") from None
    if "BEGIN:VCALENDAR" not in text[:2000].upper():
        raise BadCalendar("This is no calendar file: it does not begin with BEGIN:VCALENDAR. Choose an .ics file.")
    blocks = list(_blocks(text))
    started, found = time.monotonic(), []
    for block in blocks:
        if time.monotonic() - started > SECONDS:
            raise BadCalendar("The file takes too long to read. Export a shorter time from your calendar.")
        found.append(_read(block, zone, defaults))
    return _with_exceptions(found)


def _blocks(text: str) -> Iterator[str]:
    """The lines of each event, without what is nested in it (reminders)."""
    lines = text.replace("\0", "").splitlines()
    if len(lines) > MOST_LINES:
        raise BadCalendar("The file has too many lines. Export a shorter time from your calendar.")
    depth, events, block, nested = 0, 0, list[str](), 0
    for line in lines:
        bare = line.strip().upper()
        if bare.startswith("BEGIN:"):
            depth += 1
            if depth > MOST_DEPTH:
                raise BadCalendar("The file is nested deeper than a calendar is. Nothing was read.")
        if bare == "BEGIN:VEVENT" and not block:
            events += 1
            if events > MOST_EVENTS:
                raise BadCalendar(f"The file has more than {MOST_EVENTS:,} events. Export a shorter time.")
            block = [line]
        elif block and bare == "END:VEVENT" and not nested:
            yield "\r\n".join([*block, line])
            block = []
        elif block:
            nested += bare.startswith("BEGIN:")
            if not nested and len(block) < MOST_LINES_OF_ONE:
                block.append(line[:LONGEST_LINE])
            nested -= bare.startswith("END:") and nested > 0
        depth -= bare.startswith("END:") and depth > 0
    if block:
        yield "\r\n".join([*block, "END:VEVENT"])


def _read(block: str, zone: ZoneInfo, defaults: ActivityValues) -> Found:
    title = ""
    try:
        event: Any = Event.from_ical(block)
        title = _text(event, "SUMMARY")[:200] or "Without a title"
        uid = _uid(event, zone)
        if _text(event, "STATUS").upper() == "CANCELLED":
            return Found(title, is_off=True, uid=uid)
        values, note = _values(event, title, uid, zone, defaults)
        values, problems = checked(values, zone)
    except (BadEvent, BadRule) as error:
        return Found(title, problem=str(error))
    except Exception:  # a stranger's file: the parser raises whatever the text made it stumble over
        return Found(title or "An event", problem="It is not written as calendar files are.")
    if problems:
        return Found(title, problem=" ".join(problems.values()))
    return Found(title, values, note=note, uid=uid)


def _uid(event: Any, zone: ZoneInfo) -> str:
    """The identity; a changed single date of a series has its own."""
    uid = _text(event, "UID")
    if not uid:
        raise BadEvent("It has no UID, so a later import could not tell it from others.")
    at = event.get("RECURRENCE-ID")
    return f"{uid}#{_instant(at, zone).astimezone(zone):%Y%m%d}" if at is not None else uid


def _values(event: Any, title: str, uid: str, zone: ZoneInfo, defaults: ActivityValues) -> tuple[ActivityValues, str]:
    starts, all_day = _start(event, zone)
    ends = _end(event, starts, all_day, zone)
    recurrence, note = "", ""
    if "RRULE" in event and "RECURRENCE-ID" not in event:
        recurrence, note = _rule(event, starts, all_day, zone)
    if "RDATE" in event:
        note = " ".join(filter(None, [note, "Its extra dates are left out."]))
    local = starts.astimezone(zone)
    known: dict[str, Any] = {
        "name": title,
        "starts_at": starts,
        "ends_at": ends,
        "is_all_day": all_day,
        "recurrence": str(parse(recurrence, local.date())) if recurrence else "",
        "skipped_days": tuple(sorted(set(_skipped(event, zone)))) if recurrence else (),
        "note": _text(event, "DESCRIPTION")[:500],
        "uid": uid,
    }
    return replace(defaults, **(known | _ours(event))), note


def _ours(event: Any) -> dict[str, Any]:
    """What our own export says beyond the standard."""
    found: dict[str, Any] = {}
    kind, expects = _text(event, "X-TOKENOPS-KIND"), _text(event, "X-TOKENOPS-EXPECTS")
    if kind in PlannedActivity.Kind.values:
        found["kind"] = kind
    if expects in PlannedActivity.Expects.values:
        found["expects"] = expects
    factor = _text(event, "X-TOKENOPS-FACTOR")
    if factor:
        found["factor"] = Decimal(factor)
    return found


def _start(event: Any, zone: ZoneInfo) -> tuple[datetime, bool]:
    stated = event.get("DTSTART")
    if stated is None:
        raise BadEvent("It does not say when it starts.")
    if isinstance(stated, list):
        raise BadEvent("It says more than once when it starts.")
    return _instant(stated, zone), not isinstance(stated.dt, datetime)


def _end(event: Any, starts: datetime, all_day: bool, zone: ZoneInfo) -> datetime:
    stated, length = event.get("DTEND"), event.get("DURATION")
    if stated is not None:
        ends = _instant(stated, zone)
        # Some programs write an all-day event of one day as ending on the day it starts.
        return ends if ends > starts or not all_day else _later(starts, DAY, zone)
    if length is not None:
        if not isinstance(length.dt, timedelta) or not timedelta(0) < length.dt < timedelta(days=1000):
            raise BadEvent("How long it lasts is not understood.")
        return _later(starts, length.dt, zone)
    return _later(starts, DAY if all_day else timedelta(minutes=15), zone)


def _later(start: datetime, length: timedelta, zone: ZoneInfo) -> datetime:
    """So much later on the wall clock, so that whole days end at a midnight."""
    return (start.astimezone(zone).replace(tzinfo=None) + length).replace(tzinfo=zone).astimezone(UTC)


def _instant(stated: Any, zone: ZoneInfo) -> datetime:
    """In UTC: a date is its midnight, a floating time its moment, in the organisation's zone."""
    day, named = _day_or_time(stated)
    if not isinstance(day, datetime):
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    if day.tzinfo is None:
        day = day.replace(tzinfo=_zone(named) if named else zone)
    return day.astimezone(UTC)


def _day_or_time(stated: Any) -> tuple[date | datetime, str]:
    found = stated.dt
    if not isinstance(found, date) or not 1990 <= found.year <= 2110:
        raise BadEvent("Its day is none between 1990 and 2110.")
    return found, str(stated.params.get("TZID", ""))


def _zone(name: str) -> ZoneInfo:
    """Of a name that the parser did not know: some programs put a path before it."""
    known = available_timezones()
    for tail in (name.strip("/"), "/".join(name.split("/")[-2:]), "/".join(name.split("/")[-3:])):
        if tail in known:
            return ZoneInfo(tail)
    raise BadEvent(f"Its time zone, “{name[:60]}”, is not known.")


def _rule(event: Any, starts: datetime, all_day: bool, zone: ZoneInfo) -> tuple[str, str]:
    """The RRULE by days of the organisation's zone, and a note where that differs from the file's."""
    stated = event["RRULE"]
    if isinstance(stated, list):
        raise BadEvent("It repeats by more than one rule.")
    text = stated.to_ical().decode()
    at = event["DTSTART"].dt
    if all_day or (at.tzinfo is None and not event["DTSTART"].params.get("TZID")):
        return _until_here(text, None, zone), ""
    theirs = at if at.tzinfo else at.replace(tzinfo=_zone(str(event["DTSTART"].params["TZID"])))
    ours = starts.astimezone(zone)
    apart = (ours.date() - theirs.date()).days
    text = _until_here(text, ours, zone)
    if apart and ("BYMONTHDAY" in text or "BYSETPOS" in text or ("BYDAY" in text and "FREQ=WEEKLY" not in text)):
        raise BadEvent("It repeats by days of another time zone, which fall on other days here.")
    if apart and "BYDAY" in text:
        text = ";".join(_shifted(part, apart) for part in text.split(";"))
    same = theirs.utcoffset() == ours.utcoffset() and str(theirs.tzinfo) == str(zone)
    return text, "" if same else f"Repeats at {ours:%H:%M} of this calendar’s time zone."


def _shifted(part: str, days: int) -> str:
    name, _, value = part.partition("=")
    if name != "BYDAY":
        return part
    moved = [WEEKDAYS[(WEEKDAYS.index(one[-2:]) + days) % 7] for one in value.split(",")]
    return f"BYDAY={','.join(moved)}"


def _until_here(text: str, ours: datetime | None, zone: ZoneInfo) -> str:
    """UNTIL as the last day here on which it may begin: files give an instant in UTC for what has a time."""
    parts = []
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name == "UNTIL" and ours is not None and len(value) > 8:
            try:
                until = datetime.strptime(value.rstrip("Z")[:15], "%Y%m%dT%H%M%S").replace(
                    tzinfo=UTC if value.endswith("Z") else zone
                )
            except ValueError:
                raise BadEvent(f"Its end, “{value[:20]}”, is no time.") from None
            here = until.astimezone(zone)
            last = here.date() if here.time() >= ours.time() else here.date() - DAY
            parts.append(f"UNTIL={last:%Y%m%d}")
        else:
            parts.append(part)
    return ";".join(parts)


def _skipped(event: Any, zone: ZoneInfo) -> Iterator[str]:
    stated = event.get("EXDATE", [])
    for group in stated if isinstance(stated, list) else [stated]:
        named = str(group.params.get("TZID", ""))
        for one in group.dts:
            at = one.dt
            if isinstance(at, datetime):
                at = at.replace(tzinfo=_zone(named) if named else zone) if at.tzinfo is None else at
                at = at.astimezone(zone).date()
            yield at.isoformat()


def _with_exceptions(found: list[Found]) -> list[Found]:
    """Leave the day of each changed or cancelled single date out of its series."""
    moved: dict[str, set[str]] = {}
    for one in found:
        series, _, day = one.uid.rpartition("#")
        if series and (one.values or one.is_off) and len(day) == 8 and day.isdecimal():
            moved.setdefault(series, set()).add(f"{day[:4]}-{day[4:6]}-{day[6:]}")
    return [
        replace(one, values=_without(one.values, moved[one.uid]))
        if one.values and one.values.recurrence and one.uid in moved
        else one
        for one in found
    ]


def _without(values: ActivityValues, days: set[str]) -> ActivityValues:
    return replace(values, skipped_days=tuple(sorted({*values.skipped_days, *days})))


def _text(event: Any, name: str) -> str:
    found = event.get(name, "")
    if isinstance(found, list):
        found = found[0] if found else ""
    return " ".join(str(found).replace("\0", "").split())
