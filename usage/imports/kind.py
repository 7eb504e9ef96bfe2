"""What an import kind is: one file in `kinds/` that says which columns it reads and what a line becomes.

Every kind goes the same way: the columns are mapped, every line is read (dry run) and its errors are told by line, and
only then, on confirmation, written; a kind that can be undone says how.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from budgets.audit.record import Actor
from usage.models import Import


class LineError(ValueError):
    """What is wrong with a line, in a sentence for whoever made the file; `column`: a field's name, "" for the line."""

    def __init__(self, column: str, sentence: str) -> None:
        super().__init__(sentence)
        self.column = column


@dataclass(frozen=True, slots=True)
class Column:
    """A field that a line may state. `aliases`: headings under which files are known to have it, in small letters.

    `type` has the engine read the text as the file writes it and hand on its plain form: "number" (1234.5), "day"
    (2026-11-30), "time" (RFC 3339, or a plain day where the file has no time). "" leaves the text as it is.
    """

    name: str
    label: str
    hint: str = ""
    required: bool = False
    aliases: tuple[str, ...] = ()
    type: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What writing a chunk of lines did. `made` are (object_type, object_id) for the undo; `skipped` were there."""

    good: int = 0
    skipped: int = 0
    made: Sequence[tuple[str, int]] = ()
    errors: Sequence[tuple[int, LineError]] = ()  # (index in the chunk, why): refused only now


@dataclass(frozen=True, slots=True)
class Option:
    """Something that the kind asks beside the columns. `choices`: (value, words); none: a text that may be empty."""

    name: str
    label: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    default: str = ""
    is_slug: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A file recognised by its header: its columns need no mapping. `options` are what the kind asks for it."""

    key: str
    title: str
    note: str = ""
    options: tuple[Option, ...] = ()


class Tally(Protocol):
    """Sums what a file would bring, chunk by chunk, so that no file is too long to be kept in mind."""

    def add(self, values: Sequence[Any]) -> None: ...

    def pairs(self) -> Sequence[tuple[str, str]]: ...


THERE = "there"  # judged: what the line brings is there already


@dataclass(frozen=True, slots=True)
class Kind:
    """`read` makes a value of one line (field → text, missing ones absent) or raises LineError; it writes nothing.

    `prepare` reads once per run what `read` needs (its answer is `read`'s second argument). `write` writes a chunk of
    such values in one transaction and is safe to run again. `summary` says what a list of values would bring, as
    (label, value) pairs. `undo` takes back what `made` lists and returns a sentence; None: cannot be undone.

    A `read` that answers None found nothing to import in the line, which is no error. For kinds whose files are long:
    `judge` says before writing, for each value of a chunk, what `write` would: None, THERE or why it is refused;
    `tally` goes before `summary`; `ready` prepares a chunk outside its transaction; `chunk` lines go at a time, and
    `most` is how many a file may have. `recognise` knows files by their header.
    `undo_some` takes back a part in the caller's transaction and returns how much that was, 0 when all is done;
    `undo_size` counts it beforehand.
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
    about: str = ""  # one sentence for the list of kinds
    asks: Sequence[Option] = ()
    judge: Callable[[Sequence[Any], Any], Sequence[str | LineError | None]] | None = None
    tally: Callable[[Any], Tally] | None = None  # of what `prepare` answered
    ready: Callable[[Sequence[Any]], None] | None = None
    chunk: int = 200
    most: int = 20_000
    recognise: Callable[[Sequence[str]], Known | None] | None = None
    undo_some: Callable[[Import], int] | None = None
    undo_size: Callable[[Import], int] | None = None

    @property
    def can_undo(self) -> bool:
        return self.undo is not None or self.undo_some is not None

    def asked_of(self, run: Import) -> Sequence[Option]:
        """What this file's page asks: the kind's own questions and those of a recognised export."""
        known = self.recognise(run.header) if self.recognise else None
        return (*self.asks, *(known.options if known else ()))
