"""What a trace format is, and what it hands on.

A format is one file in `formats/` with a `FORMAT` in it; being there registers it. It is recognised by the trace's
content, never by a file's name, reads line by line, and states its identity rule: what makes two rows one call.
"""

import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

# An event as the API takes it (docs/events.md), its `time` still an aware datetime.
Event = dict[str, Any]

GZIP_MAGIC = b"\x1f\x8b"
HEAD_CHARACTERS = 64 * 1024


class UnknownFormat(Exception):
    """No format knows the file; the text names those that exist."""


@dataclass(frozen=True)
class Unreadable:
    """A line that its format cannot make a call of."""

    line: int
    reason: str


@dataclass(frozen=True)
class Given:
    """What the person who replays says, and what is known of the file.

    `model`, `provider` and `workflow` stand in where the trace names none. `scale` multiplies published request rates.
    `starts_at` is the first instant of a trace that has only seconds since its start. `fingerprint` is of the content,
    so that rows without an id of their own get the same ids whatever the file is called and whether it is packed.
    """

    model: str
    provider: str
    workflow: str
    scale: float
    starts_at: datetime
    fingerprint: str = ""


@dataclass(frozen=True)
class Format:
    """One kind of trace. `read` gets the lines (header included) and yields calls, and lines it cannot read."""

    name: str
    what: str
    identity: str
    recognises: Callable[[str], bool]
    read: Callable[[Iterator[str], Given], Iterator[Event | Unreadable]]
    in_time_order: bool = True


@dataclass
class OpenTrace:
    """An open file: its first characters, its lines from the start, and how far reading has come."""

    head: str
    fingerprint: str
    lines: Iterator[str]
    raw: IO[bytes]
    size: int

    def share_read(self) -> float:
        """Share of the file's bytes that were read, 0 to 1."""
        return min(1.0, self.raw.tell() / self.size) if self.size else 1.0


@contextmanager
def open_trace(path: Path) -> Iterator[OpenTrace]:
    """Open a plain or gzipped text file; the whole of it is never in memory."""
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        unpacked: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else io.BufferedReader(raw)  # type: ignore[assignment]
        head = unpacked.read(HEAD_CHARACTERS)
        unpacked.seek(0)
        lines = io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="replace", newline="")
        yield OpenTrace(
            head=head.decode("utf-8-sig", errors="replace"),
            fingerprint=hashlib.blake2b(head, digest_size=5).hexdigest(),
            lines=iter(lines),
            raw=raw,
            size=path.stat().st_size,
        )


def first_line(head: str) -> str:
    """The first line that is not empty."""
    return next((line.strip() for line in head.splitlines() if line.strip()), "")


def each_row(rows: Iterable[tuple[int, Any]], call: Callable[[Any, int], Event | None]) -> Iterator[Event | Unreadable]:
    """Make a call of each (line, row); one that does not fit becomes Unreadable and the reading goes on."""
    for line, row in rows:
        if isinstance(row, Unreadable):
            yield row
            continue
        try:
            made = call(row, line)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, ArithmeticError) as problem:
            yield Unreadable(line, f"{type(problem).__name__}: {problem}")
        else:
            if made is not None:
                yield made
