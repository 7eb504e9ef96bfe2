"""What people type in the policy's forms, as the values of `routing.policy.document`, and back. Pure.

Every reader raises ValueError with the sentence to show beside the field; empty text is None, or an empty list.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from routing.policy.document import Span
from routing.policy.shape import LONGEST_LATENCY, LONGEST_NAME, LONGEST_PROVIDER, MOST, MOST_VALUES, problem_with_name

NANO: Final = 1_000_000_000
NUMBER: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[0-9]{1,19}(\.[0-9]{1,18})?|\.[0-9]{1,18}")
SCALES: Final = {"K": 10**3, "M": 10**6, "B": 10**9}
CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(:00)?")
DIGITS: Final = 9  # after the point, in whatever is decimal text


def names(text: str, known: Mapping[str, str] | None = None) -> list[str]:
    """ "draft, refine" as a list without repeats. `known`: short name → what people call it, in any case.

    A name that holds a comma stands in quotation marks.
    """
    by_words = {words.casefold(): slug for slug, words in (known or {}).items()}
    found: list[str] = []
    for part in next(csv.reader([" ".join(text.split())], skipinitialspace=True), []):
        name = part.strip()
        if not name:
            continue
        if name not in (known or {}):
            name = by_words.get(name.casefold(), name)
        if said := problem_with_name(name):
            raise ValueError(f"“{name[:40]}”: {said[:1].lower()}{said[1:]}")
        if name not in found:
            found.append(name)
    if len(found) > MOST_VALUES:
        raise ValueError(f"At most {MOST_VALUES} of them. For more, make a second rule.")
    return found


def shown_names(values: Sequence[str]) -> str:
    """A list as it stands in a field."""
    doubled = (one.replace('"', '""') for one in values)
    return ", ".join(f'"{one}"' if "," in one or '"' in one else one for one in doubled)


def number(text: str) -> Decimal | None:
    """ "1,500", "0.05", "2k"."""
    bare = text.strip().replace(" ", "").replace("\u00a0", "").removeprefix("$")
    if not bare:
        return None
    scale = SCALES.get(bare[-1:].upper(), 1)
    if scale != 1:
        bare = bare[:-1]
    if not NUMBER.fullmatch(bare):
        raise ValueError("Write a number like 1,500 or 0.5.")
    try:
        return Decimal(bare.replace(",", "")) * scale
    except InvalidOperation:
        raise ValueError("Write a number like 1,500 or 0.5.") from None


def whole(text: str, least: int = 0) -> int | None:
    """A whole number of tokens: "2,000", "2k"."""
    value = number(text)
    if value is None:
        return None
    if value != value.to_integral_value() or not least <= value <= MOST:
        raise ValueError(f"Write a whole number of tokens{' above zero' if least else ''}, such as 2,000.")
    return int(value)


def count(text: str) -> int | None:
    """A whole number of anything."""
    value = number(text)
    if value is None:
        return None
    if value != value.to_integral_value() or value > MOST:
        raise ValueError("Write a whole number, such as 5.")
    return int(value)


def pairs(text: str) -> dict[str, str]:
    """ "campaign=spring, channel=mail"."""
    found = {}
    for part in names(text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not value:
            raise ValueError(f"“{part[:40]}”: write a name, an equals sign and a value: campaign=spring.")
        found[name] = value
    return found


def tokens(text: str) -> int | None:
    """A whole number of tokens above zero."""
    return whole(text, 1)


def dollars(text: str) -> int | None:
    """US dollars as nano-dollars, to nine digits after the point."""
    value = number(text)
    if value is None:
        return None
    nano = value * NANO
    if nano != nano.to_integral_value() or nano > MOST:
        raise ValueError("Write an amount in US dollars, such as 0.05.")
    return int(nano)


def share(text: str) -> str | None:
    """Quality and complexity: decimal text from 0 to 1."""
    value = number(text)
    if value is None:
        return None
    if not 0 <= value <= 1 or value != round(value, DIGITS):
        raise ValueError("Write a number from 0 to 1, such as 0.8.")
    return decimal_text(value)


def decimal(text: str) -> str | None:
    """Business value: decimal text."""
    value = number(text)
    if value is None:
        return None
    if value >= 10**DIGITS or value != round(value, DIGITS):
        raise ValueError("Write a number such as 1.5.")
    return decimal_text(value)


def milliseconds(text: str) -> int | None:
    """Seconds as whole milliseconds: "1.5"."""
    value = number(text)
    if value is None:
        return None
    found = value * 1000
    if found != found.to_integral_value() or not 1 <= found <= LONGEST_LATENCY:
        raise ValueError(f"Write a number of seconds above zero, at most {LONGEST_LATENCY // 1000:,}, such as 1.5.")
    return int(found)


def span(at_least: int | str | None, below: int | str | None) -> Span | None:
    """From `at_least` on and `below`; None where neither is said. Raises where nothing fits in."""
    if at_least is None and below is None:
        return None
    if at_least is not None and below is not None and Decimal(at_least) >= Decimal(below):
        raise ValueError("Nothing is between these two: “below” has to be more than “at least”.")
    return Span(at_least, below)


def clock(text: str) -> str | None:
    """ "9:30" as "09:30"."""
    bare = text.strip().replace(".", ":")
    if not bare:
        return None
    found = CLOCK.fullmatch(bare)
    if not found:
        raise ValueError("Write a time like 22:00.")
    return f"{int(found[1]):02}:{found[2]}"


def model(text: str) -> tuple[str, str]:
    """ "openai/gpt-4.1" as (provider, model); a model's own name may hold slashes, the provider ends at the first."""
    provider, slash, name = (part.strip() for part in text.strip().partition("/"))
    if not slash or not provider or not name:
        raise ValueError("Write the provider and the model, such as openai/gpt-4.1.")
    if len(provider) > LONGEST_PROVIDER or len(name) > LONGEST_NAME:
        raise ValueError("That name is too long.")
    return provider, name


def decimal_text(value: Decimal) -> str:
    """Plain notation without idle noughts."""
    return f"{value.normalize():f}"


def shown_tokens(value: int | str | None) -> str:
    """As it stands in a field: "2,000"."""
    return "" if value is None else f"{int(value):,}"


def shown_dollars(nano: int | str | None) -> str:
    """Every digit, at least two after the point."""
    if nano is None:
        return ""
    whole, _, rest = decimal_text(Decimal(nano) / NANO).partition(".")
    return f"{int(whole):,}.{rest:0<2}"


def shown_seconds(milliseconds_: int | None) -> str:
    """ "1.5"."""
    return "" if milliseconds_ is None else decimal_text(Decimal(milliseconds_) / 1000)
