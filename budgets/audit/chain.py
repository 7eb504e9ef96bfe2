"""The chain of the history: what each row's digest covers, and how to prove that nothing was changed or taken away.

Pure Python, nothing else imported: `python3 chain.py history.csv` proves an exported history on an auditor's own
machine. The trigger of migration 0007_audit_chain computes the digests; `digest_of` computes them anew. docs/history.md
describes both for strangers.
"""

import csv
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

AUDIT_LOCK = 7_061_008  # advisory lock number, ours by choice: taken by the trigger, after any other lock
# The fields in the order in which the digest takes them, as `budgets_audit_fields` of the database gives their texts.
FIELDS = (
    "position", "at", "who_id", "who", "origin", "act", "object_type", "object_id", "object_name", "before", "after",
    "reason",
)  # fmt: skip
NULLABLE = {"who_id", "before", "after"}
START = bytes(32)  # stands for the digest before the first row
COLUMNS = (*FIELDS, "digest", "previous_digest")
LONGEST_CELL = 64 * 2**20  # characters of a CSV's cell


@dataclass(frozen=True, slots=True)
class Link:
    """One row: its position, its fields as text, its digest, and (from a CSV) what it says the digest before is."""

    position: int
    fields: tuple[str | None, ...]
    digest: bytes
    previous: bytes | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """A position and its digest, noted at some time: the history must go on containing it."""

    position: int = 0
    digest: bytes = START


class Broken(Exception):
    """The chain does not hold. `position` is the first place where; the text is a sentence."""

    def __init__(self, position: int, sentence: str) -> None:
        super().__init__(sentence)
        self.position = position


def canonical(fields: Sequence[str | None]) -> bytes:
    """What is digested after the digest before: "<length in bytes>:<text>" and a line feed for each, "-" for NULL."""
    parts = []
    for field in fields:
        if field is None:
            parts.append(b"-\n")
        else:
            text = field.encode()
            parts.append(b"%d:%s\n" % (len(text), text))
    return b"".join(parts)


def digest_of(previous: bytes, fields: Sequence[str | None]) -> bytes:
    """SHA-256 over the digest before and the row's canonical text."""
    return hashlib.sha256(previous + canonical(fields)).digest()


def follow(links: Iterable[Link], start: Anchor = Anchor()) -> Anchor:
    """Prove that `links`, in order of position, go on from `start`; the last of them. Raises Broken."""
    at = start
    for link in links:
        if link.position <= at.position:
            raise Broken(link.position, f"Row {link.position:,} is there twice or out of order.")
        if link.position != at.position + 1:
            raise Broken(at.position + 1, f"{_missing(at.position + 1, link.position - 1)} missing.")
        if digest_of(at.digest, link.fields) != link.digest:
            raise Broken(link.position, f"Row {link.position:,} is not what was written: its digest does not fit.")
        at = Anchor(link.position, link.digest)
    return at


def follow_part(links: Iterable[Link]) -> tuple[int, Anchor]:
    """The same for some rows only (an export with a filter): each is proven with the digest that it says is before.

    How many rows, and the last. Where two rows are neighbours, the one must go on from the other. Raises Broken.
    """
    count, at = 0, Anchor()
    for link in links:
        if link.position <= at.position:
            raise Broken(link.position, f"Row {link.position:,} is there twice or out of order.")
        previous = link.previous or START
        if link.position == at.position + 1 and previous != at.digest:
            raise Broken(link.position, f"Row {link.position:,} does not go on from the row before.")
        follow([link], Anchor(link.position - 1, previous))
        count, at = count + 1, Anchor(link.position, link.digest)
    return count, at


def contains(at: Anchor, digest: bytes | None) -> None:
    """Prove that the history still has a noted row; `digest` is what is there now, None for nothing. Raises Broken."""
    if at.position == 0:
        return
    if digest is None:
        raise Broken(
            at.position,
            f"The history once reached row {at.position:,} and does not any more: its newest rows were taken away.",
        )
    if digest != at.digest:
        raise Broken(at.position, f"Row {at.position:,} has another digest than was noted: the history was rewritten.")


def prove_csv(lines: Iterable[str], noted: Anchor = Anchor(), *, is_part: bool = False) -> tuple[int, Anchor]:
    """Prove an exported history, whole or in part: how many rows, and the last. Raises Broken."""
    usual = csv.field_size_limit(LONGEST_CELL)  # of the whole process, so it is put back
    try:
        rows = ascending(csv.DictReader(lines))
        if is_part:
            return follow_part(rows)
        at, found = Anchor(), None
        for link in rows:
            at = follow([link], at)
            if at.position == noted.position:
                found = at.digest
        contains(noted, found)
        return at.position, at
    finally:
        csv.field_size_limit(usual)


def ascending(rows: Iterable[Mapping[str, str]]) -> Iterator[Link]:
    """Links of an exported CSV's rows, as `csv.DictReader` reads them. Broken where a row makes no sense."""
    for number, row in enumerate(rows, start=2):
        try:
            fields = tuple(_read(name, row[name]) for name in FIELDS)
            previous = row.get("previous_digest")
            yield Link(
                int(row["position"]),
                fields,
                bytes.fromhex(row["digest"]),
                bytes.fromhex(previous) if previous else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Broken(0, f"Row {number - 1} of the file is no row of an exported history.") from None


def written(text: str | None) -> str:
    """A field as the CSV has it: empty for NULL; an apostrophe before what a spreadsheet would run, or before one."""
    if text is None:
        return ""
    return f"'{text}" if text.startswith("'") else text


def _read(name: str, cell: str) -> str | None:
    """The field behind a cell of the CSV."""
    if not cell and name in NULLABLE:
        return None
    return cell.removeprefix("'")


def _missing(first: int, last: int) -> str:
    return f"Row {first:,} is" if first == last else f"Rows {first:,} to {last:,} are"


def main(arguments: Sequence[str]) -> int:
    """`chain.py FILE [--part]`: 0 when the exported history holds, 1 when it does not."""
    names = [one for one in arguments if one != "--part"]
    if len(names) != 1:
        sys.stderr.write("Usage: python3 chain.py FILE [--part]\n")
        return 2
    try:
        with Path(names[0]).open(encoding="utf-8", newline="") as file:
            count, at = prove_csv(file, is_part="--part" in arguments)
    except (Broken, OSError, csv.Error, UnicodeDecodeError) as problem:
        sys.stderr.write(f"The history is broken, or this is none. {problem}\n")
        return 1
    sys.stdout.write(f"{count} rows hold. The last: {at.position} {at.digest.hex()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
