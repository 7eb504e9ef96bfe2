"""Numbers, days and times as files write them, made plain. Pure: no Django.

Each function answers the plain text or raises ValueError with a sentence.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation

YEAR_FIRST, DAY_FIRST, MONTH_FIRST = "year", "day", "month"
ORDERS = (
    (YEAR_FIRST, "Year first: 2026-11-30"),
    (DAY_FIRST, "Day first: 30/11/2026"),
    (MONTH_FIRST, "Month first: 11/30/2026"),
)
PARTS = re.compile(r"(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})(?:[T ]+(.+))?\Z")
CLOCK = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?\s*(Z|z|UTC|GMT|[+-]\d{2}:?\d{2})?\Z"
)
EPOCH = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?\Z")
MONEY_MARKS = "$€£¥ \u00a0\u202f'"


@dataclass(frozen=True, slots=True)
class Writing:
    """How this file writes numbers and dates; `zone` is what times without a zone of their own mean."""

    decimal_comma: bool = False
    order: str = YEAR_FIRST
    zone: tzinfo = UTC


def plain_number(text: str, writing: Writing) -> str:
    """`$1,234.50`, `1.234,50` and `1 234.5` as 1234.50; `(3)` is -3."""
    cleaned = "".join(letter for letter in text if letter not in MONEY_MARKS)
    if cleaned.startswith("(") and cleaned.endswith(")"):
        cleaned = f"-{cleaned[1:-1]}"
    point, thousands = (",", ".") if writing.decimal_comma else (".", ",")
    whole, _, rest = cleaned.partition(point)
    if thousands in rest or not well_grouped(whole, thousands):
        example = "1.234,5" if writing.decimal_comma else "1,234.5"
        raise ValueError(f"“{text[:60]}” is not a number written as the options say: {example}.")
    plain = whole.replace(thousands, "") + (f".{rest}" if rest else "")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or len(plain) > 60 or abs(number.adjusted()) > 30:
        raise ValueError(f"“{text[:60]}” is not a number.")
    return plain


def well_grouped(whole: str, thousands: str) -> bool:
    """Whether separators stand where thousands end: 1,234 but not 12,34, which is a decimal written the other way."""
    first, *groups = whole.split(thousands)
    return not groups or (0 < len(first.lstrip("+-")) <= 3 and all(len(group) == 3 for group in groups))


def plain_day(text: str, writing: Writing) -> str:
    """A date as 2026-11-30. A time of day behind it is left away."""
    return _split(text, writing)[0].isoformat()


def plain_time(text: str, writing: Writing) -> str:
    """RFC 3339 in UTC; a date without a time of day stays a date, since only its reader knows which moment is meant."""
    if EPOCH.match(text):
        seconds = float(text) / (1000 if len(text.partition(".")[0]) == 13 else 1)
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    day, clock = _split(text, writing)
    if not clock:
        return day.isoformat()
    found = CLOCK.match(clock.strip())
    if found is None:
        raise ValueError(f"“{text[:60]}” is not a time such as 2026-11-30 14:05.")
    hour, minute, second, fraction, half, zone = found.groups()
    try:
        moment = datetime(
            day.year, day.month, day.day, _hour(int(hour), half), int(minute), int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]), tzinfo=writing.zone,
        )  # fmt: skip
        if zone:
            offset = "+00:00" if zone[0] not in "+-" else f"{zone[:3]}:{zone[-2:]}"
            moment = datetime.fromisoformat(f"{moment:%Y-%m-%dT%H:%M:%S.%f}{offset}")
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise ValueError(f"“{text[:60]}” is a time that no clock shows.") from None


def _hour(hour: int, half: str | None) -> int:
    """Of 24; 12 am is midnight."""
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError
    return hour % 12 + (12 if half.casefold() == "pm" else 0)


def _split(text: str, writing: Writing) -> tuple[date, str]:
    """The date, and the text of the clock behind it."""
    found = PARTS.match(text.strip().replace(",", " "))
    if found is None:
        raise ValueError(f"“{text[:60]}” is not a date such as 2026-11-30.")
    first, middle, last, clock = found.groups()
    if len(first) == 4:
        year, month, day = first, middle, last
    elif writing.order == YEAR_FIRST:
        raise ValueError(f"“{text[:60]}” does not begin with the year. Say in the options how dates are written.")
    elif writing.order == DAY_FIRST:
        day, month, year = first, middle, last
    else:
        month, day, year = first, middle, last
    number = int(year) + (2000 if len(year) <= 2 else 0)
    try:
        if not 1900 <= number <= 2200:
            raise ValueError
        return date(number, int(month), int(day)), clock or ""
    except ValueError:
        raise ValueError(
            f"“{text[:60]}” is a date that no calendar has. Are day and month the other way round?"
        ) from None


def guess_order(samples: Iterable[str]) -> str | None:
    """How dates among these values are written; None where dates are there and it cannot be told."""
    seen, unclear = set(), False
    for text in samples:
        found = PARTS.match(text.strip().replace(",", " "))
        if found is None or len(found[1]) == 4 or len(found[3]) == 3:
            continue
        first, middle = int(found[1]), int(found[2])
        if first > 12:
            seen.add(DAY_FIRST)
        elif middle > 12:
            seen.add(MONTH_FIRST)
        else:
            unclear = True
    if len(seen) == 1:
        return seen.pop()
    return None if seen or unclear else YEAR_FIRST


def guess_decimal_comma(samples: Iterable[str], delimiter: str) -> bool:
    """Whether numbers have a decimal comma: where one is written so and none the other way."""
    texts = ["".join(one for one in text if one not in MONEY_MARKS) for text in samples]
    comma = any(
        re.fullmatch(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d{1,2}|[+-]?0,\d+|[+-]?\d+,\d{4,}", text) for text in texts
    )
    point = any(re.fullmatch(r"[+-]?\d+\.\d+|[+-]?\d{1,3}(,\d{3})+\.\d+", text) for text in texts)
    return comma and (not point or delimiter == ";")
