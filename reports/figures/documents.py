"""The figures as data: one document behind the page's JSON and the API, and the lines of the CSV."""

from collections.abc import Callable, Iterator
from typing import Any

from reports.figures.gather import Gathered
from reports.figures.meaning import GROUPS
from reports.figures.showing import in_file
from reports.figures.tables import Table, sentence

Write = Callable[[Any, str], Any]


def figure_lines(found: Gathered, write: Write = in_file) -> Iterator[dict[str, Any]]:
    """A line for each figure: its value, that of the complete days and of those before, or why there is none."""
    for group in GROUPS:
        for one in group.figures:
            yield {
                "group": group.key,
                "name": one.name,
                "title": one.label,
                "unit": one.unit,
                "value": write(found.figures.value(one.name), one.unit),
                "complete_days": write(found.done.value(one.name), one.unit) if found.done else None,
                "before": write(found.before.value(one.name), one.unit) if found.before else None,
                "why_not": sentence(found.figures.why.get(one.name, "")),
            }


def table_lines(table: Table, write: Write = in_file) -> list[dict[str, Any]]:
    """A line for each row, by the columns' names."""
    return [
        {column.name: write(cell, column.unit) for column, cell in zip(table.columns, line.cells, strict=True)}
        for line in table.lines
    ]


def document(found: Gathered, currency: str, write: Write = in_file) -> dict[str, Any]:
    """All of it but the answers. Money and ratios are decimal text, counts numbers; null is "cannot be said"."""
    asked, before = found.asked, found.asked.before
    return {
        "from": asked.window.first.isoformat(),
        "to": asked.window.last.isoformat(),
        "compared_from": before.first.isoformat() if before else None,
        "compared_to": before.last.isoformat() if before else None,
        "time_zone": asked.window.zone.key,
        "currency": currency,
        "spend": write(found.figures.cost, "cents"),
        "calls": found.figures.calls,
        "runs": found.figures.runs,
        "figures": list(figure_lines(found, write)),
        "tables": {key: table_lines(table, write) for key, table in found.tables.items()},
        "notes": list(asked.notes),
    }
