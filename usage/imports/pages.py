"""What the pages of imports show: the list with what can be imported, one import in each of its states."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet

from budgets.models import Organisation
from usage.imports.columns import SHOWN, first_lines
from usage.imports.decide import DECIMALS
from usage.imports.kind import Column, Kind, Option
from usage.imports.kinds import all_kinds
from usage.imports.sheet import DELIMITERS
from usage.imports.writing import ORDERS
from usage.models import Import

PER_PAGE = 25
ENCODINGS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "cp1252": "Windows-1252"}
TONES = {
    "mapping": ("watch", "pen"), "checking": ("", "clock"), "checked": ("watch", "pen"), "running": ("", "clock"),
    "done": ("ok", "check"), "undoing": ("", "clock"), "undone": ("", "undo"), "failed": ("over", "over"),
    "discarded": ("", "box"),
}  # fmt: skip
FILTERS = {"": "All", "open": "To decide", "done": "Imported", "undone": "Undone", "failed": "Failed"}
OPEN = ("mapping", "checking", "checked", "running", "undoing")


def imports(status: str, query: str, kind: str) -> QuerySet[Import]:
    """Without their files, the newest first. The list and its CSV ask alike."""
    found = Import.objects.defer("file", "header", "mapping", "options", "summary").exclude(status="discarded")
    if status:
        found = found.filter(status__in=OPEN if status == "open" else [status])
    if kind:
        found = found.filter(kind=kind)
    return found.filter(file_name__icontains=query) if query else found


@dataclass(frozen=True, slots=True)
class Row:
    """One import in the list."""

    run: Import
    title: str
    tone: str
    icon: str


def row_of(run: Import) -> Row:
    kind = all_kinds().get(run.kind)
    tone, icon = TONES[run.status]
    return Row(run, kind.title if kind else run.kind, tone, icon)


def kinds_for(user: AbstractBaseUser | AnonymousUser) -> list[Kind]:
    """Those that this person may import."""
    return [kind for kind in all_kinds().values() if user.has_perm(kind.permission)]  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Chooser:
    """One field and the column chosen for it, with `samples` of that; fields that have one come first."""

    column: Column
    chosen: str
    samples: Sequence[str]
    error: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One option with what it is now."""

    option: Option
    value: str
    error: str


def choosers(run: Import, kind: Kind, mapping: dict[str, str], problems: dict[str, str]) -> list[Chooser]:
    lines = first_lines(run, SHOWN)
    first = sorted(kind.columns, key=lambda column: not (column.required or column.name in mapping))
    return [
        Chooser(
            column,
            mapping.get(column.name, ""),
            [line.get(mapping.get(column.name, ""), "") for line in lines],
            problems.get(column.name, ""),
        )
        for column in first
    ]


def samples(run: Import) -> list[tuple[str, list[str]]]:
    """Every column of the file with the values of the first lines."""
    lines = first_lines(run, SHOWN)
    return [(heading, [line.get(heading, "") for line in lines]) for heading in run.header if heading]


def asked(run: Import, kind: Kind, options: dict[str, str], problems: dict[str, str]) -> list[Asked]:
    """What the page asks: how numbers and dates are written where that matters, and what the kind wants to know."""
    questions: list[Option] = []
    types = {column.type for column in kind.columns}
    if not run.options.get("known"):
        if "number" in types:
            questions.append(Option("decimal", "Decimals have", "", DECIMALS, "point"))
        if types & {"day", "time"}:
            unclear = (("", "Choose"),) if not run.options.get("order") else ()
            questions.append(Option("order", "Dates have", "", (*unclear, *ORDERS), ""))
        if "time" in types:
            zone = Organisation.get().time_zone
            hint = "A name such as Europe/Berlin."
            questions.append(Option("zone", "Times without a time zone are of", hint, (), zone))
    questions += kind.asked_of(run)
    return [
        Asked(one, options.get(one.name, run.options.get(one.name) or one.default), problems.get(one.name, ""))
        for one in questions
    ]


def written_in(run: Import) -> str:
    """“UTF-8, with semicolons”."""
    encoding = run.options.get("encoding", "")
    return f"{ENCODINGS.get(encoding, encoding.upper())}, with {DELIMITERS.get(run.options.get('delimiter', ''), '')}"


def share_done(run: Import) -> float:
    """0 to 100."""
    done, whole = (run.undo_done, run.undo_rows) if run.status == "undoing" else (run.rows_done, run.rows)
    return round(min(100, 100 * done / whole), 1) if whole else 0


def context_of(run: Import) -> dict[str, Any]:
    """What every state of the page shows."""
    kind = all_kinds().get(run.kind)
    return {
        "here": "settings",
        "zone": Organisation.get().time_zone,
        "run": run,
        "kind": kind,
        "row": row_of(run),
        "written_in": written_in(run),
        "share": share_done(run),
        "at_work": run.status in {"checking", "running", "undoing"},
        "failed_in": run.options.get("failed_in", ""),
        "brought_anything": run.good > 0,
    }
