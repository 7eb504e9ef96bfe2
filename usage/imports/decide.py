"""What people decide about an import: its columns, yes, no, go on, undo. Each is one transaction with its audit row.

The work itself is done by a worker (`work.py`); these only say that it is wanted.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.notices.hint import hint_task
from usage.imports.kind import Kind
from usage.imports.kinds import all_kinds
from usage.imports.writing import ORDERS
from usage.ingest.event import SLUG
from usage.models import Import

CHECK_TASK, RUN_TASK = "usage.tasks.check_imports", "usage.tasks.run_imports"
Status = Import.Status
DECIMALS = (("point", "A point: 1,234.5"), ("comma", "A comma: 1.234,5"))


class InvalidChoice(ValueError):
    """`problems`: field or option → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


def kind_of(run: Import) -> Kind:
    """Its kind; Problem 409 for one that this installation no longer has."""
    kind = all_kinds().get(run.kind)
    if kind is None:
        raise Problem(409, "unknown-kind", "Not possible now", "This version of TokenOps does not know such imports.")
    return kind


def choose(actor: Actor, run_id: int, mapping: Mapping[str, str], options: Mapping[str, str]) -> Import:
    """Say which column is what and have the file checked. Raises InvalidChoice; Problem 409 when it is too late."""
    with transaction.atomic():
        run = _locked(run_id, {Status.MAPPING, Status.CHECKED, Status.FAILED})
        if run.status == Status.FAILED and run.options.get("failed_in") != "check":
            raise _not_now(run)
        kind = kind_of(run)
        known = bool(run.options.get("known"))
        mapping = {} if known else {name: heading for name, heading in mapping.items() if heading}
        problems = {} if known else _problems_with_mapping(kind, run, mapping)
        problems |= _problems_with_options(kind, run, options)
        if problems:
            raise InvalidChoice(problems)
        before = {"columns": run.mapping, "options": {name: run.options.get(name, "") for name in options}}
        run.mapping, run.options = mapping, {**run.options, **options}
        run.problem, run.status = "", Status.CHECKING
        _forget_counts(run)
        run.problems.all().delete()
        run.save(update_fields=[*COUNTS, "mapping", "options", "problem", "status", "summary"])
        record(actor, "chose columns of", run, before, {"columns": run.mapping, "options": dict(options)})
        hint_task(CHECK_TASK)
    return run


def confirm(actor: Actor, run_id: int) -> Import:
    """Yes: import the good lines, leave the bad ones out."""
    with transaction.atomic():
        run = _locked(run_id, {Status.CHECKED})
        if not run.good:
            raise Problem(
                409,
                "nothing-to-import",
                "Not possible now",
                "No line of this file can be imported. Nothing was changed.",
            )
        facts = {"file": run.file_name, "good": run.good, "bad": run.bad, "there_already": run.skipped}
        _forget_counts(run)
        run.status = Status.RUNNING
        run.requested_by, run.requested_by_text = actor.user, actor.text[:150]
        run.save(update_fields=[*COUNTS, "status", "requested_by", "requested_by_text"])
        record(actor, "import started", run, {"status": Status.CHECKED}, {"status": run.status, **facts})
        hint_task(RUN_TASK)
    return run


def choose_again(actor: Actor, run_id: int) -> Import:
    """Back to the columns."""
    with transaction.atomic():
        run = _locked(run_id, {Status.CHECKED, Status.FAILED})
        if run.status == Status.FAILED and run.options.get("failed_in") != "check":
            raise _not_now(run)
        run.status, run.problem = Status.MAPPING, ""
        run.save(update_fields=["status", "problem"])
    return run


def discard(actor: Actor, run_id: int) -> Import:
    """No: the file is forgotten. What a run that failed has brought stays until that is undone."""
    with transaction.atomic():
        run = _locked(run_id, {Status.MAPPING, Status.CHECKING, Status.CHECKED, Status.FAILED})
        if run.status == Status.FAILED and run.options.get("failed_in") != "check":
            raise _not_now(run)
        before, run.status, run.file = run.status, Status.DISCARDED, b""
        run.save(update_fields=["status", "file"])
        run.problems.all().delete()
        record(actor, "discarded", run, {"status": before}, {"status": run.status})
    return run


def go_on(actor: Actor, run_id: int) -> Import:
    """Take up an import or an undo that failed on the way."""
    with transaction.atomic():
        run = _locked(run_id, {Status.FAILED})
        stage = run.options.get("failed_in")
        run.status = {"run": Status.RUNNING, "undo": Status.UNDOING}.get(str(stage), Status.CHECKING)
        run.problem, run.attempts = "", 0
        run.save(update_fields=["status", "problem", "attempts"])
        record(actor, "import taken up again", run, {"status": Status.FAILED}, {"status": run.status})
        hint_task(CHECK_TASK if run.status == Status.CHECKING else RUN_TASK)
    return run


def begin_undo(actor: Actor, run_id: int) -> Import:
    """Take back what the import brought; also of one that failed half-way."""
    with transaction.atomic():
        run = _locked(run_id, {Status.DONE, Status.FAILED})
        kind = kind_of(run)
        if run.status == Status.FAILED and run.options.get("failed_in") == "check":
            raise _not_now(run)
        if not kind.can_undo:
            raise Problem(409, "no-undo", "Not possible", f"{kind.title} cannot be taken back as a whole.")
        before, run.status, run.problem = run.status, Status.UNDOING, ""
        run.undo_rows = kind.undo_size(run) if kind.undo_size else run.good
        run.undo_done = run.attempts = 0
        run.save(update_fields=["status", "problem", "undo_rows", "undo_done", "attempts"])
        record(actor, "undo started", run, {"status": before}, {"status": run.status})
        hint_task(RUN_TASK)
    return run


COUNTS = ("rows_done", "good", "bad", "skipped", "left_out", "attempts")


def _forget_counts(run: Import) -> None:
    for name in COUNTS:
        setattr(run, name, 0)
    if run.status != Status.CHECKED:
        run.summary = []


def _locked(run_id: int, allowed: Collection[str]) -> Import:
    run = Import.objects.select_for_update(of=("self",)).filter(pk=run_id).defer("file").first()
    if run is None:
        raise Problem(404, "not-found", "Not found", "There is no such import.")
    if run.status not in allowed:
        raise _not_now(run)
    return run


def _not_now(run: Import) -> Problem:
    return Problem(
        409,
        "not-now",
        "Not possible now",
        f"This import is “{run.get_status_display().lower()}” now. Nothing was changed.",
    )


def _problems_with_mapping(kind: Kind, run: Import, mapping: Mapping[str, str]) -> dict[str, str]:
    problems: dict[str, str] = {}
    columns = {column.name: column for column in kind.columns}
    users: dict[str, str] = {}
    for name, heading in mapping.items():
        if name not in columns:
            problems[name[:100]] = f"“{name[:100]}” is no field of {kind.title.lower()}."
        elif heading not in run.header:
            problems[name] = f"The file has no column “{heading[:100]}”."
        elif heading in users:
            problems[name] = f"“{heading}” is chosen for {users[heading]} already. A column can be one thing only."
        else:
            users[heading] = columns[name].label
    for column in kind.columns:
        if column.required and column.name not in mapping:
            problems[column.name] = f"Choose the column for {column.label}: no line can be imported without it."
    return problems


def _problems_with_options(kind: Kind, run: Import, options: Mapping[str, Any]) -> dict[str, str]:
    choices = {"decimal": dict(DECIMALS), "order": {"": "", **dict(ORDERS)}}
    asked = {option.name: option for option in kind.asked_of(run)}
    problems = {}
    for name, value in options.items():
        if not isinstance(value, str) or len(value) > 200 or "\0" in value:
            problems[name] = "Give a short text."
        elif name == "zone":
            try:
                ZoneInfo(value or "UTC")
            except (KeyError, ValueError, OSError):
                problems[name] = f"“{value}” is no time zone. Use a name such as Europe/Berlin."
        elif name in choices:
            if value not in choices[name]:
                problems[name] = f"Choose from: {', '.join(filter(None, choices[name]))}."
        elif name not in asked:
            problems[name[:100]] = f"“{name[:100]}” is no option of this import."
        elif asked[name].is_slug and value and not re.fullmatch(SLUG, value):
            problems[name] = "Use small letters, digits, dots, dashes and underscores, at most 128 of them."
        elif asked[name].choices and value not in dict(asked[name].choices):
            problems[name] = f"Choose from: {', '.join(key for key, _ in asked[name].choices if key)}."
    if options.get("order") == "" and run.options.get("order") == "" and not run.options.get("known"):
        problems["order"] = "Say whether the day or the month comes first: in this file it could be either."
    return problems
