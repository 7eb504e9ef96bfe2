"""Read settings from environment variables; say clearly which one is wrong.

Every setting of TokenOps is one environment variable with a safe default. A value that makes no sense stops the
process at start with the variable's name and what it may be: a server that runs with half a configuration is worse
than one that does not start.
"""

import os
from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str = "", choices: Iterable[str] | None = None) -> str:
    """The variable's text; ImproperlyConfigured when it is not among `choices`."""
    value = os.environ.get(name, default).strip()
    allowed = None if choices is None else list(choices)
    if allowed is not None and value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r}: choose one of {', '.join(allowed)}.")
    return value


def flag(name: str, default: bool = False) -> bool:
    """A yes-or-no variable: 1, true, yes, on or 0, false, no, off."""
    value = os.environ.get(name, "").strip().lower()
    if name not in os.environ:
        return default
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r}: write 1 or 0.")


def number(name: str, default: int, low: int = 0, high: int = 2**31) -> int:
    """A whole number between `low` and `high`, both included."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r}: write a whole number.") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name}={value}: must be between {low} and {high}.")
    return value


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list; empty parts are dropped."""
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]
