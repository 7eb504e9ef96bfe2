"""Histories from a CSV file, packed or not: `series,t,value`, and `part` where a file has more than history. Pure."""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

NEEDED = ("series", "t", "value")
PACKED = b"\x1f\x8b"
LONGEST = 1_000_000  # steps from the first to the last of a series


class BadFile(Exception):
    """The file cannot be used; the message says where and why."""


def read_histories(path: Path) -> dict[str, list[float | None]]:
    """Each series' values in the order of t, None where a step or its value is missing. Series as they first appear.

    Where there is a column `part`, only its rows `train` are history. Raises BadFile.
    """
    steps: dict[str, dict[int, float | None]] = {}
    try:
        with opened(path) as file:
            for place, row in rows(file):
                read_row(steps, row, place)
    except (OSError, EOFError, zlib.error) as problem:
        raise BadFile(f"{path} cannot be read: {getattr(problem, 'strerror', None) or problem}.") from problem
    except UnicodeDecodeError as problem:
        raise BadFile(f"{path} is not a text file in UTF-8.") from problem
    except csv.Error as problem:
        raise BadFile(f"{path} is not a CSV file: {problem}.") from problem
    if not steps:
        raise BadFile(f"{path} holds no history.")
    return {series: in_order(series, values) for series, values in steps.items()}


def opened(path: Path) -> TextIO:
    """The file as text, unpacked if it begins as gzip does."""
    with path.open("rb") as file:
        packed = file.read(2) == PACKED
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def rows(file: TextIO) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and row, of history only."""
    reader = csv.DictReader(file, strict=True)
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise BadFile(f"The first line must name the columns series, t and value; {missing[0]} is missing.")
    for row in reader:
        if row.get("part", "train") == "train":
            yield reader.line_num, row


def read_row(steps: dict[str, dict[int, float | None]], row: dict[str, str], place: int) -> None:
    """Adds one row to its series."""
    series, at, value = (row[name] for name in NEEDED)
    if value is None:
        raise BadFile(f"Line {place}: it has fewer columns than the first line.")
    try:
        step = int(at)
    except ValueError:
        raise BadFile(f"Line {place}: t must be a whole number, the number of the step; it is {at!r}.") from None
    try:
        number = float(value) if value.strip() else None
    except ValueError:
        raise BadFile(f"Line {place}: value must be a number or empty; it is {value!r}.") from None
    if number is not None and not math.isfinite(number):
        raise BadFile(f"Line {place}: value must be a number or empty; it is {value!r}.")
    known = steps.setdefault(series, {})
    if step in known:
        raise BadFile(f"Line {place}: step {step} of {series} is there already.")
    known[step] = number


def in_order(series: str, values: dict[int, float | None]) -> list[float | None]:
    """The values from the first step to the last."""
    first, last = min(values), max(values)
    if last - first >= LONGEST:
        raise BadFile(f"{series}: t goes from {first} to {last}; {LONGEST:,} steps are the most.")
    return [values.get(step) for step in range(first, last + 1)]
