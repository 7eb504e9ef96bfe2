"""Lines to rows: CSV and JSON lines, one at a time."""

import csv
from collections.abc import Iterator
from typing import Any

import msgspec

from usage.replay.trace import Unreadable


def json_rows(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
    """(line number, object) of each line that is not empty."""
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = decode(line)
        except (msgspec.DecodeError, UnicodeEncodeError) as problem:
            yield number, Unreadable(number, f"not JSON: {problem}")
            continue
        yield number, row if isinstance(row, dict) else Unreadable(number, "not a JSON object")


def csv_rows(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row by column name); the header is line 1."""
    reader = csv.DictReader(lines)
    for row in reader:
        yield reader.line_num, row


def whole(text: str) -> int:
    """A count of tokens: a whole number from 0 on. ValueError for anything else."""
    value = int(text)
    if value < 0:
        raise ValueError(f"{value} is below zero")
    return value
