"""On which days something repeats: iCalendar's RRULE, as far as days go, in bounded time. Pure.

A rule repeats by days, weeks, months or years; the time of day is its start's. It is kept in one form: parts in a fixed
order, an end by count turned into the last day. So any stretch is expanded from close before it, never from the start,
and how often a rule has been or will be does not matter.

Expanded here and not by dateutil, which looks at the end only when a rule matches: one that never does (30 February,
from a stranger's file) keeps it busy until the year 9999. The tests compare the two.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice

from budgets.pages.moments import MONTHS, day_year

UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last", -2: "last but one"}
DAY = timedelta(days=1)
MOST_PARTS, MOST_INTERVAL, MOST_COUNT = 60, 1_000, 5_000
COUNTED_FOR = timedelta(days=40 * 366)  # how far an end by count is looked for
RAREST = timedelta(days=9 * 366)  # 29 February comes at least so often, 2100 included
LATEST = date(2200, 1, 1)
KNOWN = {"FREQ", "INTERVAL", "UNTIL", "COUNT", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}


class BadRule(ValueError):
    """Why a rule cannot be used, in a sentence."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`by_day` as "MO" or "-1FR"; `until`: the last day it may begin on."""

    frequency: str
    interval: int = 1
    by_day: tuple[str, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()
    week_starts: str = "MO"
    until: date | None = None

    def __str__(self) -> str:
        parts = [f"FREQ={self.frequency}"]
        parts += [f"INTERVAL={self.interval}"] if self.interval != 1 else []
        for name, values in (
            ("BYDAY", self.by_day), ("BYMONTHDAY", self.by_month_day), ("BYMONTH", self.by_month),
            ("BYSETPOS", self.by_position),
        ):  # fmt: skip
            parts += [f"{name}={','.join(map(str, values))}"] if values else []
        parts += [f"WKST={self.week_starts}"] if self.week_starts != "MO" else []
        parts += [f"UNTIL={self.until:%Y%m%d}"] if self.until else []
        return ";".join(parts)


def parse(text: str, start: date) -> Rule:
    """The rule of an RRULE whose first day may be `start`, if it ever happens. Raises BadRule."""
    rule, count = _understood(text)
    if count:
        rule = replace(rule, until=_last_of(rule, start, count))
    horizon = min(start.toordinal() + RAREST.days * rule.interval, LATEST.toordinal())
    if next(dates(rule, start, start, date.fromordinal(horizon)), None) is None:
        raise BadRule("By its rule it never happens.")
    return rule


@lru_cache(maxsize=4096)
def read(text: str) -> Rule:
    """The rule of what `str(rule)` wrote. Raises BadRule."""
    return _understood(text)[0]


def _understood(text: str) -> tuple[Rule, int]:
    """The rule, and after how many times it ends (0: not by count)."""
    parts = _parts(text)
    frequency = parts.get("FREQ", "")
    if frequency not in UNITS:
        raise BadRule("It can repeat by days, weeks, months or years only.")
    if unknown := sorted(set(parts) - KNOWN):
        raise BadRule(f"Its way to repeat ({', '.join(unknown)[:60]}) is not understood.")
    rule = Rule(
        frequency=frequency,
        interval=_number(parts.get("INTERVAL", "1"), 1, MOST_INTERVAL),
        by_day=tuple(_weekday(one, frequency) for one in _list(parts.get("BYDAY", ""))),
        by_month_day=_numbers(parts.get("BYMONTHDAY", ""), 31),
        by_month=tuple(one for one in _numbers(parts.get("BYMONTH", ""), 12) if one > 0),
        by_position=_numbers(parts.get("BYSETPOS", ""), 366),
        week_starts=_weekday(parts.get("WKST", "MO"), "WEEKLY"),
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
    )
    return rule, _number(parts["COUNT"], 1, MOST_COUNT) if "COUNT" in parts else 0


def dates(rule: Rule, start: date, first: date, last: date) -> Iterator[date]:
    """The days from `first` to `last` that it begins on, `start` being its first possible one."""
    begin, stop = max(first, start), min(last, rule.until or last)
    if stop < begin:
        return
    for whole in _sets(rule, start, begin, stop):
        found = [day for day in whole if _fits(rule, start, day)]
        if rule.by_position:
            places = {one - 1 if one > 0 else len(found) + one for one in rule.by_position}
            found = [day for place, day in enumerate(found) if place in places]
        yield from (day for day in found if begin <= day <= stop)


def _sets(rule: Rule, start: date, begin: date, stop: date) -> Iterator[list[date]]:
    """The days of each interval that the rule repeats by, from the one that `begin` lies in or the one before it."""
    if rule.frequency == "DAILY":
        for n in range(max(0, (begin - start).days // rule.interval), (stop - start).days // rule.interval + 1):
            yield [start + n * rule.interval * DAY]
    elif rule.frequency == "WEEKLY":
        monday = start - (start.weekday() - WEEKDAYS.index(rule.week_starts)) % 7 * DAY
        step = 7 * rule.interval
        for n in range(max(0, (begin - monday).days // step), (stop - monday).days // step + 1):
            yield [monday + (n * step + one) * DAY for one in range(7)]
    else:
        step = rule.interval * (12 if rule.frequency == "YEARLY" else 1)
        number = start.year * 12 + (start.month - 1 if rule.frequency == "MONTHLY" else 0)
        for n in range(max(0, (begin.year * 12 + begin.month - 1 - number) // step), (LATEST.year - start.year) * 12):
            year, month = divmod(number + n * step, 12)
            first = date(year, month + 1, 1)
            if first > stop:
                return
            length = (
                (date(year + 1, 1, 1) - first).days if rule.frequency == "YEARLY" else monthrange(year, month + 1)[1]
            )
            yield [first + one * DAY for one in range(length)]


def _fits(rule: Rule, start: date, day: date) -> bool:
    """Whether the rule names this day of its interval; what it leaves open is as on the start day."""
    by_month, by_month_day, by_day = rule.by_month, rule.by_month_day, rule.by_day
    if rule.frequency == "WEEKLY" and not by_day:
        by_day = (WEEKDAYS[start.weekday()],)
    if rule.frequency in {"MONTHLY", "YEARLY"} and not by_day and not by_month_day:
        by_month_day = (start.day,)
        by_month = by_month or ((start.month,) if rule.frequency == "YEARLY" else ())
    return (
        (not by_month or day.month in by_month)
        and (
            not by_month_day
            or day.day in by_month_day
            or day.day - monthrange(day.year, day.month)[1] - 1 in by_month_day
        )
        and (not by_day or any(_is_weekday(one, day, rule) for one in by_day))
    )


def _is_weekday(text: str, day: date, rule: Rule) -> bool:
    """Whether `day` is "MO", or the "2MO" of its month (of its year where the rule names no months)."""
    if WEEKDAYS[day.weekday()] != text[-2:]:
        return False
    if not text[:-2]:
        return True
    place = int(text[:-2])
    whole_year = rule.frequency == "YEARLY" and not rule.by_month
    first = date(day.year, 1, 1) if whole_year else day.replace(day=1)
    days = (date(day.year + 1, 1, 1) - first).days if whole_year else monthrange(day.year, day.month)[1]
    gone = (day - first).days
    return place == (gone // 7 + 1 if place > 0 else -((days - 1 - gone) // 7 + 1))


def _last_of(rule: Rule, start: date, count: int) -> date:
    found = list(islice(dates(rule, start, start, start + COUNTED_FOR), count))
    if not found:
        raise BadRule("By its rule it never happens.")
    return found[-1] if len(found) == count else start + COUNTED_FOR


def _parts(text: str) -> dict[str, str]:
    bare = text.strip().upper().removeprefix("RRULE:")
    if len(bare) > 500:
        raise BadRule("Its rule is too long.")
    found = [part.partition("=") for part in bare.split(";") if part.strip()]
    return {name.strip(): value.strip() for name, _, value in found}


def _list(text: str) -> list[str]:
    found = [one.strip() for one in text.split(",") if one.strip()]
    if len(found) > MOST_PARTS:
        raise BadRule("Its rule has too many parts.")
    return found


def _number(text: str, least: int, most: int) -> int:
    bare = text.removeprefix("-").removeprefix("+")
    if not (bare.isascii() and bare.isdecimal() and len(bare) < 9 and least <= int(text) <= most):
        raise BadRule(f"Its rule has “{text[:20]}” where a number from {least} to {most} belongs.")
    return int(text)


def _numbers(text: str, most: int) -> tuple[int, ...]:
    found = tuple(dict.fromkeys(_number(one, -most, most) for one in _list(text)))
    if 0 in found:
        raise BadRule("Its rule has a zero where days are counted from one.")
    return found


def _weekday(text: str, frequency: str) -> str:
    name, place = text[-2:], text[:-2]
    if name not in WEEKDAYS:
        raise BadRule(f"Its rule names “{text[:20]}”, which is no weekday.")
    if not place:
        return name
    if frequency not in {"MONTHLY", "YEARLY"}:
        raise BadRule("Only what repeats by months or years can name the first or last of a weekday.")
    number = _number(place, -53, 53)
    if not number:
        raise BadRule("Its rule has a zero where days are counted from one.")
    return f"{number}{name}"


def _until(text: str) -> date:
    try:
        return date.fromisoformat(text[:8])
    except ValueError:
        raise BadRule(f"Its end, “{text[:20]}”, is no day.") from None


def in_words(rule: Rule) -> str:
    """ "Every 2 weeks on Mon, Fri until 18 Dec 2026"."""
    unit = UNITS[rule.frequency]
    words = f"Every {unit}" if rule.interval == 1 else f"Every {rule.interval} {unit}s"
    if rule.by_day:
        words += " on " + ", ".join(_day_words(one, rule.by_position) for one in rule.by_day)
    if rule.by_month_day:
        last = {-1: "the last day"}
        words += " on " + ", ".join(last.get(one, f"day {one}") for one in rule.by_month_day)
    if rule.by_month:
        words += " in " + ", ".join(MONTHS[one - 1] for one in rule.by_month)
    return f"{words} until {day_year(rule.until)}" if rule.until else words


def _day_words(text: str, positions: tuple[int, ...]) -> str:
    name = DAY_NAMES[WEEKDAYS.index(text[-2:])]
    place = int(text[:-2]) if text[:-2] else positions[0] if len(positions) == 1 else 0
    return f"the {ORDINALS.get(place, f'{place}.')} {name}" if place else name
