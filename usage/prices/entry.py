"""What a price entry says: as plain JSON for previews, audit rows and answers, and what is wrong with one."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from usage.prices.price import FIELDS, RATE_PER_DOLLAR, exact, price_from
from usage.prices.seed import PRICE_FIELDS

if TYPE_CHECKING:
    from usage.models import PriceEntry
    from usage.prices.seed import SeedEntry

MOST_RATE = Decimal(10**8)  # what the columns hold, in dollars per million tokens
STEP_KEYS = {"from_input_tokens", *FIELDS, "units"}
HOUR_KEYS = {"from", "to", "weekdays", "except", *FIELDS, "units", "steps"}


def decimal_text(number: Decimal | None) -> str | None:
    """Without trailing zeros or exponent: 2.50000000 is "2.5", 1E+1 is "10"."""
    if number is None:
        return None
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Price columns with decimals as text, equal when the prices are."""
    return {
        name: decimal_text(value) if isinstance(value, Decimal) else value
        for name, value in ((name, values[name]) for name in PRICE_FIELDS)
    }


def entry_facts(entry: "PriceEntry | SeedEntry") -> dict[str, Any]:
    """Dates and prices, what is empty left out."""
    prices = as_json({name: getattr(entry, name) for name in PRICE_FIELDS})
    facts = {
        "valid_from": entry.valid_from.isoformat(),
        "valid_to": entry.valid_to.isoformat() if entry.valid_to else None,
        **prices,
    }
    return {name: value for name, value in facts.items() if value not in (None, {}, [])}


def mistakes(values: Mapping[str, Any]) -> dict[str, str]:
    """Field → sentence for an entry that somebody wrote; empty when it can be kept.

    `values` has the model's columns: decimals or None, aware datetimes or None, JSON values.
    """
    found: dict[str, str] = {}
    for name in ("provider", "model"):
        text = values.get(name) or ""
        if not text.strip():
            found[name] = f"Say which {name} this price is for."
        elif text != text.strip():
            found[name] = f"The {name} must not begin or end with a space."
    starts, ends = values.get("valid_from"), values.get("valid_to")
    if not isinstance(starts, datetime):
        found["valid_from"] = "Say from when this price holds."
    elif isinstance(ends, datetime) and ends <= starts:
        found["valid_to"] = "The end must come after the start."
    for name in FIELDS:
        if values.get(name) is not None:
            found.update(_amount(name, values[name]))
    if all(values.get(name) is None for name in FIELDS) and not values.get("units"):
        found.setdefault("input", "State at least one price. Write 0 for what is free; leave empty what has no price.")
    for name, check in (("units", _units), ("steps", _steps), ("hours", _hours)):
        said = check(values.get(name))
        if said:
            found[name] = said
    if not found:
        try:
            price_from(0, "", "", "", values)
        except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError) as error:
            found["steps"] = str(error)
    return found


def _amount(name: str, value: Any) -> dict[str, str]:
    label = name.replace("_", " ").capitalize()
    try:
        exact(value, RATE_PER_DOLLAR, label)
    except (ValueError, ArithmeticError):
        return {name: f"{label} must be a price of 0 or more with at most 8 decimals, in dollars per million tokens."}
    return {} if Decimal(value) < MOST_RATE else {name: f"{label} is more than any model costs. Dollars per million?"}


def _units(units: Any) -> str:
    """What is wrong with `{"web_search": "0.01"}`."""
    if units is None:
        return ""
    if not isinstance(units, dict):
        return 'Units are an object: {"web_search": "0.01"}, dollars each.'
    for name, each in units.items():
        if not name or len(name) > 64:
            return "A unit needs a name of at most 64 characters."
        if not isinstance(each, str | int) or isinstance(each, bool):
            return f'The price of one {name} must be written as text, such as "0.01", so that it stays exact.'
        try:
            exact(each, 10**18, name)
        except (ValueError, ArithmeticError):
            return f"The price of one {name} must be a number of 0 or more with at most 18 decimals."
    return ""


def _stated(values: Mapping[str, Any], where: str) -> str:
    for name in FIELDS:
        if values.get(name) is not None and (not isinstance(values[name], str | int) or _amount(name, values[name])):
            return f'{where}: {name} must be a price such as "2.5", in dollars per million tokens.'
    said = _units(values.get("units"))
    return f"{where}: {said}" if said else ""


def _steps(steps: Any) -> str:
    """What is wrong with long-context steps."""
    if steps is None:
        return ""
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return 'Steps are a list: [{"from_input_tokens": 200001, "input": "6"}].'
    last = 0
    for step in steps:
        unknown = sorted(set(step) - STEP_KEYS)
        if unknown:
            return f"A step has no {unknown[0]!r}."
        start = step.get("from_input_tokens")
        if not isinstance(start, int) or isinstance(start, bool) or start <= last:
            return "Each step needs from_input_tokens, a whole number larger than the one before."
        last = start
        said = _stated(step, f"The step from {start}")
        if said:
            return said
    return ""


def _hours(hours: Any) -> str:
    """What is wrong with prices at some hours."""
    if hours is None:
        return ""
    if not isinstance(hours, list) or not all(isinstance(window, dict) for window in hours):
        return 'Hours are a list: [{"from": "01:00", "to": "04:00", "input": "0.3"}], in UTC.'
    for window in hours:
        unknown = sorted(set(window) - HOUR_KEYS)
        if unknown:
            return f"Hours have no {unknown[0]!r}."
        said = _clock(window) or _stated(window, "Hours") or _steps(window.get("steps"))
        if said:
            return said
    return ""


def _clock(window: Mapping[str, Any]) -> str:
    try:
        starts, ends = time.fromisoformat(window["from"]), time.fromisoformat(window["to"])
        for day in window.get("except") or ():
            date.fromisoformat(day)
    except (KeyError, TypeError, ValueError):
        return "Hours need `from` and `to` as HH:MM in UTC, and `except` as a list of days, YYYY-MM-DD."
    weekdays = window.get("weekdays") or [1]
    if starts == ends or starts.tzinfo or ends.tzinfo:
        return "Hours need two different times without a time zone; they are UTC."
    if not isinstance(weekdays, list) or not all(type(day) is int and 1 <= day <= 7 for day in weekdays):
        return "Weekdays are a list of numbers, 1 for Monday to 7 for Sunday."
    return ""
