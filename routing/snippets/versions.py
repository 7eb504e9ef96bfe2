"""What one version of a text has that the one before had not. Pure."""

from difflib import SequenceMatcher
from typing import NamedTuple

AROUND = 3  # unchanged lines shown beside a change


class Piece(NamedTuple):
    """Lines that are the `same`, `added` or `removed`; `skipped` for those that are the same and not shown."""

    kind: str
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def differences(old: str, new: str) -> list[Piece]:
    """Line by line, what is far from any change left out. Empty where both are the same."""
    before, after = old.split("\n"), new.split("\n")
    told: list[Piece] = []
    for tag, first, last, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            told += _same(before[first:last], begins=begin + first == 0, ends=last == len(before) and end == len(after))
            continue
        if last > first:
            told.append(Piece("removed", before[first:last]))
        if end > begin:
            told.append(Piece("added", after[begin:end]))
    return told if any(one.kind in ("added", "removed") for one in told) else []


def _same(lines: list[str], *, begins: bool, ends: bool) -> list[Piece]:
    """Of lines between two changes, or before the first or after the last one, those near to one."""
    head = 0 if begins else AROUND
    tail = 0 if ends else AROUND
    left_out = len(lines) - head - tail
    if left_out <= 1:
        return [Piece("same", lines)]
    found = [
        Piece("same", lines[:head]),
        Piece("skipped", [str(left_out)]),
        Piece("same", lines[len(lines) - tail :] if tail else []),
    ]
    return [one for one in found if one.lines]
