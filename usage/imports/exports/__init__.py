"""Exports of others that are known by their header line: every module in this folder that exports `EXPORT`.

Copy one to add another. It says which headings it needs, what makes two lines the same line (`identity`), and `read`
turns a line into an event's members, counted inclusively as `docs/events.md` has it.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from functools import cache
from typing import Any

from usage.imports.kind import LineError, Option
from usage.imports.writing import Writing, plain_number, plain_time

AS_EXPORTED = Writing(zone=UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """What one line says. `members` are an event's, without id; `calls`: how many calls it sums, None: not stated."""

    members: dict[str, Any]
    is_sum: bool = False
    calls: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Export:
    """`read` gets the line's values by heading in small letters and the options; None: nothing to import in it."""

    key: str
    title: str
    source: str
    needs: tuple[frozenset[str], ...]  # any of these sets of headings
    identity: tuple[str, ...]
    read: Callable[[Mapping[str, str], Mapping[str, str]], Found | None]
    note: str = ""
    options: tuple[Option, ...] = ()
    workflow_from: tuple[tuple[str, str], ...] = ()  # (heading, words): columns that may name the workflow


@cache
def all_exports() -> dict[str, Export]:
    """Key → export."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return {module.EXPORT.key: module.EXPORT for module in modules}


def recognise(header: Sequence[str]) -> Export | None:
    """The export whose headings are all there; of several the one that needs most."""
    headings = {heading.casefold() for heading in header}
    fitting = [(len(needs), key) for key, one in all_exports().items() for needs in one.needs if needs <= headings]
    return all_exports()[max(fitting)[1]] if fitting else None


def whole(line: Mapping[str, str], name: str) -> int:
    """A count; a missing one is none. Raises LineError."""
    amount = decimal(line, name)
    if amount is None:
        return 0
    if amount < 0 or amount != amount.to_integral_value():
        raise LineError(name, f"“{line[name][:60]}” is not a whole number from 0 on.")
    return int(amount)


def decimal(line: Mapping[str, str], name: str) -> Decimal | None:
    """A number, None where there is none. Raises LineError."""
    if name not in line:
        return None
    try:
        return Decimal(plain_number(line[name], AS_EXPORTED))
    except ValueError as error:
        raise LineError(name, str(error)) from None


def moment(line: Mapping[str, str], name: str) -> str:
    """A time in UTC; a day without one is its noon, which is on that day in nearly every time zone."""
    if name not in line:
        raise LineError(name, "The date is missing.")
    try:
        found = plain_time(line[name], AS_EXPORTED)
    except ValueError as error:
        raise LineError(name, str(error)) from None
    return found if "T" in found else f"{found}T12:00:00+00:00"


def named(line: Mapping[str, str], **tags: str) -> dict[str, str]:
    """Tag → the value of its heading, for those that the line states."""
    return {tag: line[heading][:128] for tag, heading in tags.items() if heading in line}
