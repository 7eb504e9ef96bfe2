"""Until when people snooze and mute, in the organisation's time."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MORNING = time(9)
SNOOZES: Mapping[str, str] = {
    "hour": "1 hour",
    "tomorrow": "Until tomorrow, 9:00",
    "days": "3 days",
    "week": "Until next week",
}
FOR_GOOD = "for-good"
MUTES: Mapping[str, str] = {**SNOOZES, FOR_GOOD: "Until somebody unmutes it"}


def until(choice: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The aware moment that a choice of SNOOZES means; None for any other text.

    Tomorrow and later are nine in the morning there; next week begins on Monday.
    """
    today = now.astimezone(zone).date()
    if choice == "hour":
        return now + timedelta(hours=1)
    if choice == "tomorrow":
        return _morning(today + timedelta(days=1), zone)
    if choice == "days":
        return _morning(today + timedelta(days=3), zone)
    if choice == "week":
        return _morning(today + timedelta(days=7 - today.weekday()), zone)
    return None


def _morning(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, MORNING, zone)
