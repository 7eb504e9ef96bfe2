"""Series from a CSV file, packed or not: `series,timestamp,value`; other columns are not read. Pure."""

import csv
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from reports.forecast.histories import BadFile, opened

NEEDED = ("series", "timestamp", "value")


class Row(NamedTuple):
    series: str
    timestamp: str  # as it was written
    when: datetime
    value: float | None  # None where it is empty


def read_rows(path: Path) -> list[Row]:
    """All rows in the order of the file; a time stamp may come twice. Raises BadFile."""
    try:
        with opened(path) as file:
            found = list(rows(csv.DictReader(file, strict=True)))
    except (OSError, EOFError, zlib.error) as problem:
        raise BadFile(f"{path} cannot be read: {getattr(problem, 'strerror', None) or problem}.") from problem
    except UnicodeDecodeError as problem:
        raise BadFile(f"{path} is not a text file in UTF-8.") from problem
    except csv.Error as problem:
        raise BadFile(f"{path} is not a CSV file: {problem}.") from problem
    if not found:
        raise BadFile(f"{path} holds no values.")
    mixed = {row.series for row in found if row.when.tzinfo} & {row.series for row in found if not row.when.tzinfo}
    if mixed:
        raise BadFile(f"{min(mixed)} has time stamps with and without an offset from UTC; they cannot be compared.")
    return found


def rows(reader: "csv.DictReader[str]") -> Iterator[Row]:
    missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise BadFile(f"The first line must name the columns series, timestamp and value; {missing[0]} is missing.")
    for line in reader:
        yield row_of(line, reader.line_num)


def row_of(line: dict[str, str], place: int) -> Row:
    series, timestamp, value = (line[name] for name in NEEDED)
    if timestamp is None or value is None:
        raise BadFile(f"Line {place}: it has fewer columns than the first line.")
    try:
        when = datetime.fromisoformat(timestamp.strip())
    except ValueError:
        raise BadFile(f"Line {place}: timestamp must be like 2026-11-18 12:00:00; it is {timestamp!r}.") from None
    try:
        number = float(value) if value.strip() else None
    except ValueError:
        raise BadFile(f"Line {place}: value must be a number or empty; it is {value!r}.") from None
    if number is not None and not isfinite(number):
        raise BadFile(f"Line {place}: value must be a number or empty; it is {value!r}.")
    return Row(series, timestamp, when, number)


def by_series(found: Sequence[Row]) -> dict[str, list[int]]:
    """Where each series' rows stand, in their order; series as they first appear."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(found):
        places.setdefault(row.series, []).append(place)
    return places
