"""Which column of a file is which field: guessed by name, remembered, shown with samples; and one line read by it."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from budgets.models import Organisation
from usage.imports.kind import Column, Kind, LineError
from usage.imports.sheet import Form, Line, Unreadable, cells_of, read_lines
from usage.imports.writing import (
    Writing,
    guess_decimal_comma,
    guess_order,
    plain_day,
    plain_number,
    plain_time,
)
from usage.models import Import

SHOWN = 5  # lines whose values stand beside each column
LOOKED_AT = 500  # lines by which numbers and dates are guessed
OURS = ("problem_line", "problem")  # what the download of bad lines adds
PLAIN = {"number": plain_number, "day": plain_day, "time": plain_time}


def bare(heading: str) -> str:
    """For comparing names: small letters and digits only, so that `Cost (USD)` meets `cost_usd`."""
    return re.sub(r"[\W_]+", "", heading.casefold())


def guess(columns: Sequence[Column], header: Sequence[str]) -> dict[str, str]:
    """Field → heading, by name, label and alias; every heading is used once, exact names go first."""
    headings = {bare(heading): heading for heading in header if heading}
    found: dict[str, str] = {}
    for names_of in (
        lambda column: (column.name,),
        lambda column: column.aliases,
        lambda column: (column.label,),
    ):
        for column in columns:
            for name in names_of(column):
                heading = headings.get(bare(name))
                if heading and column.name not in found and heading not in found.values():
                    found[column.name] = heading
    return found


def remembered(kind: Kind, header: Sequence[str]) -> Import | None:
    """The last import of such a file whose columns somebody chose; bad lines corrected have two columns more."""
    own = [heading for heading in header if heading not in OURS]
    earlier = Import.objects.filter(kind=kind.key, header__in=[own, [*own, *OURS]]).exclude(mapping={})
    return earlier.exclude(status=Import.Status.MAPPING).defer("file").order_by("-id").first()


def first_lines(run: Import, many: int) -> list[dict[str, str]]:
    """Values of the first lines by heading, as far as they can be read: the check says what is wrong with others."""
    found = []
    with suppress(Unreadable):
        for line in islice(read_lines(run.file, form(run)), 1, many + 1):
            with suppress(ValueError):
                found.append(cells_of(line, run.header))
    return found


def form(run: Import) -> Form:
    return Form(run.options["encoding"], run.options["delimiter"])


def guess_writing(run: Import, kind: Kind) -> dict[str, str]:
    """Options for numbers and dates, by what the mapped columns hold; an order that cannot be told is ""."""
    lines = first_lines(run, LOOKED_AT)
    types = {run.mapping[column.name]: column.type for column in kind.columns if column.name in run.mapping}
    numbers = [line[heading] for line in lines for heading, of in types.items() if of == "number" and heading in line]
    dates = [line[head] for line in lines for head, of in types.items() if of in {"day", "time"} and head in line]
    return {
        "decimal": "comma" if guess_decimal_comma(numbers, run.options["delimiter"]) else "point",
        "order": guess_order(dates) or "",
    }


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads lines of one run by its mapping and options."""

    run: Import
    kind: Kind
    prepared: Any
    writing: Writing

    @classmethod
    def of(cls, run: Import, kind: Kind) -> "Reader":
        zone = run.options.get("zone") or Organisation.get().time_zone
        writing = Writing(run.options.get("decimal") == "comma", run.options.get("order") or "year", ZoneInfo(zone))
        return cls(run, kind, kind.prepare(run), writing)

    def value_of(self, line: Line) -> Any:
        """What the line becomes; None where there is nothing in it to import. Raises LineError."""
        try:
            cells = cells_of(line, self.run.header)
        except ValueError as error:
            raise LineError("", str(error)) from None
        return self.kind.read(self.fields(cells), self.prepared)

    def fields(self, cells: Mapping[str, str]) -> dict[str, str]:
        """Field → value; of a recognised export heading → value, as it stands there."""
        if self.run.options.get("known"):
            return dict(cells)
        types = {column.name: column for column in self.kind.columns}
        found = {}
        for name, heading in self.run.mapping.items():
            value = cells.get(heading)
            if value is None:
                continue
            plain = PLAIN.get(types[name].type)
            try:
                found[name] = plain(value, self.writing) if plain else value
            except ValueError as error:
                raise LineError(name, str(error)) from None
        for column in self.kind.columns:
            if column.required and column.name not in found:
                raise LineError(column.name, f"{column.label} is missing.")
        return found

    def place(self, error: LineError, line: Line) -> tuple[str, str]:
        """The heading and the value that an error speaks of."""
        heading = self.run.mapping.get(error.column, error.column).casefold()
        headings = [one.casefold() for one in self.run.header]
        if not heading or heading not in headings:
            return "", ""
        at = headings.index(heading)
        return self.run.header[at], (line.cells[at] if at < len(line.cells) else "")
