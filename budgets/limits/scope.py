"""What a budget covers: a JSON object of dimension → value, all of which must hold. Pure.

An empty scope is the whole organisation. A tag is one pair, written `key=value`. Tiers are written as text, "1" and so
on, as every other value is.
"""

from collections.abc import Mapping

DIMENSIONS = ("team", "workflow", "environment", "user", "application", "customer", "model", "provider", "tier", "tag")
MAX_VALUE = 128
MAX_TAG = 2 * MAX_VALUE + 1
WHOLE_COMPANY = "Whole company"

_WORDS = {dimension: dimension.capitalize() for dimension in DIMENSIONS}


def split_tag(tag: str) -> tuple[str, str]:
    """Key and value of a tag written `key=value`; the value may hold further equals signs."""
    key, _, value = tag.partition("=")
    return key, value


def clean(scope: Mapping[str, object]) -> dict[str, str]:
    """The scope in its one written form: known order, text values, surrounding blanks gone, empty values left out."""
    cleaned: dict[str, str] = {}
    for dimension in sorted(scope, key=lambda name: DIMENSIONS.index(name) if name in DIMENSIONS else len(DIMENSIONS)):
        value = scope[dimension]
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else value
        if text not in ("", None):
            cleaned[dimension] = text  # type: ignore[assignment]  # `problem_with` refuses what is no text
    return cleaned


def problem_with(scope: Mapping[str, object]) -> str | None:
    """What is wrong with a scope, in a sentence for the person who wrote it; None when it is well-formed."""
    for dimension, value in clean(scope).items():
        if dimension not in DIMENSIONS:
            return f"A budget cannot cover “{dimension}”. Choose from: {', '.join(DIMENSIONS)}."
        problem = _problem_with_value(dimension, value)
        if problem:
            return problem
    return None


def _problem_with_value(dimension: str, value: object) -> str | None:
    if not isinstance(value, str) or "\0" in value:
        return f"Give the {dimension} as plain text."
    if len(value) > (MAX_TAG if dimension == "tag" else MAX_VALUE):
        return f"The {dimension} is too long: at most {MAX_VALUE} characters."
    if dimension == "tag" and not all(split_tag(value)):
        return "Write a tag as name=value, for example campaign=spring."
    if dimension == "tier" and not (value.isdecimal() and value.isascii() and 1 <= int(value) <= 99):
        return "Give the tier as its number: 1, 2, 3 and so on."
    return None


def in_words(scope: Mapping[str, str], names: Mapping[tuple[str, str], str] | None = None) -> str:
    """The scope for a reader: “Team Growth, model gpt-5”. `names` maps (dimension, value) to a display name."""
    parts = []
    for dimension, value in clean(scope).items():
        shown = (names or {}).get((dimension, value), value)
        if dimension == "tag":
            key, shown = split_tag(value)
            parts.append(f"{key} {shown}")
        else:
            parts.append(f"{_WORDS.get(dimension, dimension).lower()} {shown}")
    if not parts:
        return WHOLE_COMPANY
    text = ", ".join(parts)
    return text[0].upper() + text[1:]
