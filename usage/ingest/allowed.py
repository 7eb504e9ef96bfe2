"""What each field of an event may be, in a sentence, taken from the event's own definition; and of other messages."""

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from usage.ingest.event import MAX_COST, MAX_TOKENS, Event

KINDS = {"string": "A text", "integer": "A whole number", "number": "A number", "object": "An object"}
MORE = {
    "id": "Your own id of the call. The same id again counts once.",
    "time": "When the call ended, with a time zone, such as 2026-11-18T09:30:00Z; at most 24 hours ahead.",
    "workflow": "Small letters, digits, dots, dashes and underscores, such as seo-briefs.",
    "cached_input_tokens": "They are part of input_tokens, so with cache_write_tokens never more than those.",
    "cache_write_tokens": "They are part of input_tokens, so with cached_input_tokens never more than those.",
    "reasoning_tokens": "They are part of output_tokens, so never more than those.",
    "tool_tokens": "They are part of input_tokens, so never more than those.",
    "units": f'Each a number from 0 to {MAX_TOKENS:,}, such as {{"searches": 2}}.',
    "cost_usd": f'A decimal from 0 to {MAX_COST:,}, such as "0.0042".',
    "source": "A source that exists, such as the one of your key.",
}


@cache
def fields(of: type[Struct] = Event) -> dict[str, dict[str, Any]]:
    """The JSON schema of a message, field by field."""
    schema: dict[str, Any] = msgspec.json.schema(of)["$defs"][of.__name__]
    found: dict[str, dict[str, Any]] = schema["properties"]
    return found


def choices(of: type[Struct], field: str) -> tuple[str, ...]:
    """The words that a field of a message may be; none where it is no choice between words."""
    found = fields(of).get(field, {})
    return tuple(word for one in found.get("anyOf", [found]) for word in one.get("enum", ()))


def allowed(field: str) -> str:
    """What this field may be; "" for a field that events do not have."""
    name = field.partition(".")[0].partition("[")[0]
    found = fields().get(name)
    if found is None:
        return ""
    said = [sentence(one) for one in found.get("anyOf", [found]) if one.get("type") != "null"]
    return " ".join(one for one in (*said, MORE.get(name, "")) if one)


def sentence(schema: dict[str, Any]) -> str:
    """One kind of value in words."""
    if "enum" in schema:
        return f"One of: {', '.join(map(str, schema['enum']))}."
    said = KINDS.get(schema.get("type", ""), "")
    if "minimum" in schema and "maximum" in schema:
        said += f" from {schema['minimum']:,} to {schema['maximum']:,}"
    elif "minLength" in schema and "maxLength" in schema:
        said += f" of {schema['minLength']} to {schema['maxLength']} characters"
    elif "maxLength" in schema:
        said += f" of at most {schema['maxLength']} characters"
    elif "maxProperties" in schema:
        said += f" of at most {schema['maxProperties']} members"
    return f"{said}." if said else ""


def line_of(text: str, field: str) -> tuple[int, str]:
    """The line of a pretty-printed body that names the field, and its number from 1; (0, "") where none does."""
    name = field.partition(".")[0].partition("[")[0]
    for number, line in enumerate(text.splitlines(), 1):
        if name and line.lstrip().startswith(f'"{name}"'):
            return number, line.strip()
    return 0, ""
