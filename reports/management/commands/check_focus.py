"""`check_focus FILE`: whether a FOCUS file (CSV or Parquet) conforms to the specification."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from pyarrow import ArrowInvalid, parquet

from reports.focus.charges import as_text
from reports.focus.check import problems
from reports.focus.columns import VERSIONS

SHOWN = 20


class Command(BaseCommand):
    help = "Check a FOCUS file against the specification's rules for cost and usage."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--focus-version", choices=VERSIONS, default=VERSIONS[0])

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            header, rows = read(options["file"])
        except (OSError, UnicodeDecodeError, StopIteration, ArrowInvalid) as error:
            raise CommandError(f"{options['file']} cannot be read: {error or 'it is empty'}") from error
        found = list(problems(header, rows, options["focus_version"]))
        for one in found[:SHOWN]:
            self.stdout.write(f"{f'row {one.row}' if one.row else 'table'}, {one.column or '-'}: {one.sentence}")
        if found:
            raise CommandError(f"{len(found)} problems.")
        self.stdout.write("Conforms.")


def read(path: Path) -> tuple[list[str], Iterator[Sequence[str | None]]]:
    """Header and rows as `problems` takes them; an empty cell of a CSV is null."""
    if path.suffix == ".parquet":
        table = parquet.read_table(path)
        return table.column_names, ([_text(value) for value in row.values()] for row in table.to_pylist())
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return header, ([value or None for value in row] for row in rows)


def _text(value: Any) -> str | None:
    return None if value is None else as_text(value)
