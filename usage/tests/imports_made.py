"""Imports for tests: a file taken in, its columns chosen, checked, carried out, as the pages and workers do it."""

from pathlib import Path
from typing import Any

from budgets.audit.record import Actor
from budgets.models import Organisation, Workflow
from usage.imports.decide import begin_undo, choose, confirm
from usage.imports.kinds import all_kinds
from usage.imports.upload import take_file
from usage.imports.work import work_on
from usage.models import Import

ME = Actor.command("test")
SAMPLES = Path(__file__).parent / "samples" / "imports"


def first_rows(zone: str = "UTC") -> None:
    """What a flush between tests takes away."""
    Organisation.objects.get_or_create(id=1, defaults={"time_zone": zone})
    Workflow.objects.get_or_create(slug="unassigned", defaults={"name": "No workflow yet", "status": "reserved"})


def taken(text: str | bytes, kind: str = "usage", name: str = "file.csv") -> Import:
    body = text if isinstance(text, bytes) else text.encode()
    return take_file(ME, all_kinds()[kind], name, [body[n : n + 1000] for n in range(0, len(body), 1000)])


def checked(text: str | bytes, kind: str = "usage", **options: Any) -> Import:
    """Taken in and checked with the columns as guessed."""
    run = taken(text, kind)
    if not run.options.get("known"):
        options.setdefault("order", run.options.get("order") or "year")
    choose(ME, run.pk, run.mapping, options)
    work_on(run.pk)
    return fresh(run)


def imported(text: str | bytes, kind: str = "usage", **options: Any) -> Import:
    run = checked(text, kind, **options)
    assert run.status == "checked", run.problem
    confirm(ME, run.pk)
    work_on(run.pk)
    return fresh(run)


def undone(run: Import) -> Import:
    begin_undo(ME, run.pk)
    work_on(run.pk)
    return fresh(run)


def fresh(run: Import) -> Import:
    return Import.objects.get(pk=run.pk)


def counts(run: Import) -> tuple[int, int, int, int]:
    return run.good, run.bad, run.skipped, run.left_out


def said(run: Import) -> list[tuple[int, str, str]]:
    return [(one.line, one.column, one.sentence) for one in run.problems.all()]
