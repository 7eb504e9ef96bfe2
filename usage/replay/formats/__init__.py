"""The trace formats: every file of this folder that has a `FORMAT`."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from usage.replay.trace import Format, UnknownFormat


@cache
def known() -> tuple[Format, ...]:
    """All formats, by name."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    return tuple(sorted((module.FORMAT for module in modules if hasattr(module, "FORMAT")), key=lambda one: one.name))


def recognise(head: str) -> Format:
    """The format whose content `head` shows. UnknownFormat lists what is known."""
    for one in known():
        if one.recognises(head):
            return one
    listed = "; ".join(f"{one.name} ({one.what})" for one in known())
    raise UnknownFormat(f"This file is in none of the formats that can be replayed. Known: {listed}.")
