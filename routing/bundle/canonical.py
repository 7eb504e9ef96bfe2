"""One JSON text per value: keys sorted, UTF-8, no blanks, no fractions. Pure.

RFC 8785, narrowed: floats are refused, because two languages seldom print one alike, and so are whole numbers that a
JavaScript reader would round. Amounts and prices are therefore written as decimal text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

MAX_WHOLE = 2**53 - 1


class NotCanonical(ValueError):
    """The value has no canonical form; the message says where."""


def canonical(value: Any) -> bytes:
    """The bytes. Raises NotCanonical for floats, whole numbers beyond 2^53 - 1, lone surrogates and other types."""
    try:
        return json.dumps(_sorted(value, "$"), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise NotCanonical("a text holds half a surrogate pair") from None


def exact(value: Any) -> Any:
    """Free-form JSON as this form can hold it: fractions and very large numbers become their decimal text."""
    if isinstance(value, Mapping):
        return {str(key): exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item) for item in value]
    if isinstance(value, float) or (type(value) is int and abs(value) > MAX_WHOLE):
        return str(value)
    return value


def _sorted(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if type(value) is int:
        if abs(value) > MAX_WHOLE:
            raise NotCanonical(f"{where}: {value} is too large for a JSON number")
        return value
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) for key in value):
            raise NotCanonical(f"{where}: a key is no text")
        # RFC 8785 sorts by UTF-16 code units, which differ from code points beyond the basic plane.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return {key: _sorted(value[key], f"{where}.{key}") for key in keys}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_sorted(item, f"{where}[{n}]") for n, item in enumerate(value)]
    raise NotCanonical(f"{where}: {type(value).__name__} has no canonical form")
