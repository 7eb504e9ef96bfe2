"""What the cells of a line say, for kinds whose lines name days, teams, workflows and choices. All raise LineError."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from budgets.models import Team, Workflow
from usage.imports.kind import LineError


def teams_by_name() -> dict[str, int]:
    """Ids by short name, and by name in small letters; the oldest of a name. One statement."""
    return _by_name(Team.objects.order_by("-pk").values_list("pk", "slug", "name"))


def workflows_by_name() -> dict[str, int]:
    """As `teams_by_name`; without the one that calls without a workflow count under."""
    found = Workflow.objects.exclude(status=Workflow.Status.RESERVED).order_by("-pk")
    return _by_name(found.values_list("pk", "slug", "name"))


def _by_name(rows: Iterable[tuple[int, str, str]]) -> dict[str, int]:
    rows = list(rows)
    return {name.casefold(): pk for pk, _, name in rows} | {slug: pk for pk, slug, _ in rows}


def named(line: Mapping[str, str], column: str, known: Mapping[str, int]) -> int | None:
    """The id of what is named there; None where the cell is empty."""
    text = line.get(column, "").strip()
    if not text:
        return None
    found = known.get(text) or known.get(text.casefold())
    if found is None:
        raise LineError(column, f"There is no {column} “{text[:60]}”. Make it first, or leave this empty.")
    return found


def day_in(line: Mapping[str, str], column: str) -> date:
    text = line.get(column, "")
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise LineError(column, f"“{text[:40]}” is not a date such as 2026-11-30.") from None


def chosen(line: Mapping[str, str], column: str, choices: Sequence[tuple[str, str]], default: str, what: str) -> str:
    """The key of a choice by key or label; `default` where the cell is empty. `what`: “kind of cost”."""
    text = line.get(column, "").strip().casefold()
    keys = [key for key, _ in choices]
    known = {label.casefold(): key for key, label in choices} | {key: key for key in keys}
    if text and text not in known:
        raise LineError(column, f"“{text[:40]}” is no {what}. Use one of: {', '.join(keys)}.")
    return known.get(text, default)
