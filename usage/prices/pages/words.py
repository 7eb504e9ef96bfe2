"""Prices as people read them: "$2.50", "01:00–04:00 UTC, Mon–Fri". Pure. Always US dollars, as providers bill."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from budgets.pages.moments import DAYS, day_year
from usage.prices.price import FIELDS, TOKEN_KINDS

LABELS: Final = {"input": "Input", "cached_input": "Cached input", "cache_write": "Cache write", "output": "Output"}
TIERS: Final = {"standard": "Standard", "batch": "Batch", "flex": "Flex", "priority": "Priority"}
MILLION: Final = 10**6


def dollars(price: Decimal | str | None) -> str:
    """ "$2.50", "$0.0375", "free"; "" where there is no price."""
    if price is None:
        return ""
    number = Decimal(price)
    if not number:
        return "free"
    text = f"{number:,f}"
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest.rstrip('0'):0<2}"


def per_million(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, price of a million) of what is stated."""
    return [(LABELS[name], dollars(values[name])) for name in FIELDS if values.get(name) is not None]


def in_short(values: Mapping[str, Any]) -> str:
    """All of it on a line: "input $2.50, output $10.00, 2 per-unit prices"."""
    parts = [f"{label.lower()} {price}" for label, price in per_million(values)]
    for name, word in (("units", "per-unit price"), ("steps", "long-context step"), ("hours", "price by the hour")):
        count = len(values.get(name) or ())
        if count:
            parts.append(
                f"{count} {word}{'' if count == 1 else 's'}".replace("price by the hours", "prices by the hour")
            )
    return ", ".join(parts)


def extras(values: Mapping[str, Any]) -> list[str]:
    """Sentences about per-unit prices, long context and hours."""
    return [
        *(unit(name, each) for name, each in (values.get("units") or {}).items()),
        *(step(one) for one in values.get("steps") or []),
        *(window(one) for one in values.get("hours") or []),
    ]


def unit(name: str, each: Any) -> str:
    """ "$0.01 for each web search", "$40.00 for a million input audio tokens"."""
    words = name.replace("_", " ")
    if name in TOKEN_KINDS:
        return f"{dollars(Decimal(str(each)) * MILLION)} for a million {words}"
    return f"{dollars(Decimal(str(each)))} for each {words}"


def step(one: Mapping[str, Any]) -> str:
    """Long context."""
    return f"From {int(one['from_input_tokens']):,} tokens of input on, the whole call: {_changes(one)}"


def window(one: Mapping[str, Any]) -> str:
    """Other prices at some hours."""
    days = _weekdays(one.get("weekdays") or ())
    besides = ", ".join(day_year(date.fromisoformat(day)) for day in one.get("except") or ())
    when = f"{one['from']}–{one['to']} UTC{days}{f', not on {besides}' if besides else ''}"
    more = "; ".join(step(inner) for inner in one.get("steps") or [])
    return f"{when}: {_changes(one)}{f'; {more}' if more else ''}"


def _changes(one: Mapping[str, Any]) -> str:
    said = [f"{label.lower()} {price}" for label, price in per_million(one)]
    said += [unit(name, each) for name, each in (one.get("units") or {}).items()]
    return ", ".join(said) or "the same"


def _weekdays(days: Sequence[int]) -> str:
    chosen = sorted(set(days))
    if not chosen or len(chosen) == len(DAYS):
        return ""
    names = [DAYS[one - 1] for one in chosen]
    in_a_row = chosen[-1] - chosen[0] == len(chosen) - 1 and len(chosen) > 2
    return f", {names[0]}–{names[-1]}" if in_a_row else f", {', '.join(names)}"


def percent(part: int, whole: int) -> str:
    """ "12%", "under 1%", "none" of the spend."""
    if not whole or not part:
        return "none"
    share = Decimal(part) * 100 / whole
    return "under 1%" if share < 1 else f"{share:.0f}%"
