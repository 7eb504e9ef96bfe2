"""What an import kind is: one file in `kinds/` that says which columns it reads and what a line becomes.

Every kind goes the same way: the columns are mapped, every line is read (dry run) and its errors are told by line, and
only then, on confirmation, written; a kind that can be undone says how.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from budgets.audit.record import Actor
from usage.models import Import


class LineError(ValueError):
    """What is wrong with a line, in a sentence for whoever made the file; `column`: a field's name, "" for the line."""

    def __init__(self, column: str, sentence: str) -> None:
        super().__init__(sentence)
        self.column = column


@dataclass(frozen=True, slots=True)
class Column:
    """A field that a line may state. `aliases`: headings under which files are known to have it, in small letters."""

    name: str
    label: str
    hint: str = ""
    required: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What writing a chunk of lines did. `made` are (object_type, object_id) for the undo; `skipped` were there."""

    good: int = 0
    skipped: int = 0
    made: Sequence[tuple[str, int]] = ()
    errors: Sequence[tuple[int, LineError]] = ()  # (index in the chunk, why): refused only now


@dataclass(frozen=True, slots=True)
class Kind:
    """`read` makes a value of one line (field → text, missing ones absent) or raises LineError; it writes nothing.

    `prepare` reads once per run what `read` needs (its answer is `read`'s second argument). `write` writes a chunk of
    such values in one transaction and is safe to run again. `summary` says what a list of values would bring, as
    (label, value) pairs. `undo` takes back what `made` lists and returns a sentence; None: cannot be undone.
    """

    key: str
    title: str  # "Past usage"
    noun: str  # of one line: "call"
    columns: Sequence[Column]
    read: Callable[[Mapping[str, str], Any], Any]
    write: Callable[[Actor, Sequence[Any], Import], Written]
    prepare: Callable[[Import], Any] = lambda run: None
    summary: Callable[[Sequence[Any]], Sequence[tuple[str, str]]] = lambda values: ()
    undo: Callable[[Actor, Import], str] | None = None
    permission: str = "budgets.change_budget"
    example: str = ""  # a header line and a line or two, offered for download
    options: Mapping[str, Any] = field(default_factory=dict)
