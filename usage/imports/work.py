"""What a worker does with an import: check it, carry it out, take it back. Killed at any point, it is simply run again.

Checking writes nothing but counts and problems, and starts anew. Carrying out and undoing go in chunks, each one
transaction with its progress: what is committed is not done twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from budgets.access.problems import what_failed
from budgets.audit.record import Actor, record
from budgets.notices.hint import hint_settle
from usage.imports.columns import Reader, form
from usage.imports.decide import kind_of
from usage.imports.kind import THERE, Kind, LineError
from usage.imports.sheet import Line, Unreadable, read_lines
from usage.ingest.backlog import measure
from usage.models import Import, ImportedObject, ImportProblem
from usage.rollups.fold import fold_all

Status = Import.Status
MOST_ATTEMPTS = 3
MOST_PROBLEMS = 50_000  # kept; what is beyond is counted only
STAGES = {Status.CHECKING: "check", Status.RUNNING: "run", Status.UNDOING: "undo"}


def work_on(run_id: int) -> None:
    """Do what this import waits for. What goes wrong is on the import, for whoever looks at it."""
    run = Import.objects.filter(pk=run_id).first()
    if run is None or run.status not in STAGES:
        return
    stage = STAGES[Status(run.status)]
    if run.attempts >= MOST_ATTEMPTS:
        _fail(run, stage, f"It was begun {MOST_ATTEMPTS} times and never came to an end. The server's log may say why.")
        return
    Import.objects.filter(pk=run_id).update(attempts=F("attempts") + 1)
    try:
        {"check": check, "run": carry_out, "undo": take_back}[stage](run, kind_of(run))
    except Unreadable as error:
        _fail(run, stage, str(error))
    except Exception as error:
        _fail(run, stage, what_failed(error, f"Import {run_id}")[:500])


@dataclass(slots=True)
class Counts:
    """Of one chunk's lines."""

    good: int = 0
    bad: int = 0
    skipped: int = 0
    left_out: int = 0
    problems: list[ImportProblem] = field(default_factory=list)


def check(run: Import, kind: Kind) -> None:
    """The dry run: read every line, say what is wrong with it and what all of them would bring."""
    run.rows = _lines_at_most(run, kind.most + 1)
    if not run.rows:
        raise Unreadable("The file has a first line that names its columns, and no line below it.")
    if run.rows > kind.most:
        raise Unreadable(f"The file has more lines than can be imported at a time: {kind.most:,}. Split it.")

    with transaction.atomic():
        run.problems.all().delete()
        Import.objects.filter(pk=run.pk).update(rows=run.rows, rows_done=0, good=0, bad=0, skipped=0, left_out=0)
    reader = Reader.of(run, kind)
    tally = kind.tally(reader.prepared) if kind.tally else None
    kept: list[Any] = []
    found = 0
    for lines in _chunks(run, 0, 1_000):
        counts, values = _read(reader, lines)
        values = _judge(reader, lines, values, counts)
        if tally:
            tally.add([value for _, value in values])
        else:
            kept += [value for _, value in values]
        counts.good = len(values)
        counts.problems = counts.problems[: max(0, MOST_PROBLEMS - found)]
        found += len(counts.problems)
        with transaction.atomic():
            if not _count(run, Status.CHECKING, counts, len(lines)):
                return
            ImportProblem.objects.bulk_create(counts.problems)
    pairs = tally.pairs() if tally else kind.summary(kept)
    Import.objects.filter(pk=run.pk, status=Status.CHECKING).update(
        status=Status.CHECKED, summary=[list(pair) for pair in pairs], attempts=0
    )


def carry_out(run: Import, kind: Kind) -> None:
    """Write the good lines, chunk by chunk, from where an earlier worker came to."""
    done = run.rows_done
    reader = Reader.of(run, kind)
    actor = Actor(run.requested_by, run.requested_by_text, "job")
    position = 0
    for lines in _chunks(run, 0, kind.chunk):
        counts, values = _read(reader, lines)  # also of lines that are done: what is read may count on what came before
        position += len(lines)
        if position <= done:
            continue
        if kind.ready:
            kind.ready([value for _, value in values])
        with transaction.atomic():
            locked = Import.objects.select_for_update(of=("self",)).defer("file").get(pk=run.pk)
            if locked.status != Status.RUNNING or locked.rows_done != position - len(lines):
                return  # somebody else is at it
            written = kind.write(actor, [value for _, value in values], run)
            counts.good, counts.skipped = written.good, written.skipped
            for index, error in written.errors:
                _add(counts, reader, values[index][0], error)
            made = [ImportedObject(imported_by=run, object_type=type_, object_id=id_) for type_, id_ in written.made]
            ImportedObject.objects.bulk_create(made, ignore_conflicts=True)
            ImportProblem.objects.bulk_create(_news(run, lines, counts.problems))
            _count(run, Status.RUNNING, counts, len(lines))
            transaction.on_commit(hint_settle)
        _keep_up()
    with transaction.atomic():
        locked = Import.objects.select_for_update(of=("self",)).defer("file").get(pk=run.pk)
        if locked.status != Status.RUNNING:
            return
        locked.status, locked.finished_at = Status.DONE, timezone.now()
        locked.save(update_fields=["status", "finished_at"])
        record(actor, "imported", locked, {"status": Status.RUNNING}, facts(locked))


def take_back(run: Import, kind: Kind) -> None:
    """Undo, in parts where the kind can, else in one go."""
    actor = Actor(run.requested_by, run.requested_by_text, "job")
    while True:
        with transaction.atomic():
            locked = Import.objects.select_for_update(of=("self",)).defer("file").get(pk=run.pk)
            if locked.status != Status.UNDOING:
                return
            taken = kind.undo_some(locked) if kind.undo_some else 0
            if not taken:
                locked.problem = kind.undo(actor, locked) if kind.undo else ""
                locked.status, locked.finished_at = Status.UNDONE, timezone.now()
                locked.save(update_fields=["status", "finished_at", "problem"])
                after = {**facts(locked), "taken_back": locked.undo_done, "note": locked.problem}
                record(actor, "undone", locked, {"status": Status.UNDOING}, after)
                transaction.on_commit(hint_settle)
                return
            Import.objects.filter(pk=run.pk).update(undo_done=F("undo_done") + taken, attempts=0)
            transaction.on_commit(hint_settle)
        _keep_up()


def facts(run: Import) -> dict[str, Any]:
    """An import as the history has it."""
    return {
        "status": run.status, "kind": run.kind, "file": run.file_name, "lines": run.rows, "good": run.good,
        "bad": run.bad, "there_already": run.skipped, "left_out": run.left_out,
    }  # fmt: skip


def _lines_at_most(run: Import, most: int) -> int:
    """How many lines are below the header; counting ends at `most`."""
    count = 0
    for _ in islice(read_lines(run.file, form(run)), 1, most + 1):
        count += 1
    return count


def _chunks(run: Import, start: int, size: int) -> Iterator[list[Line]]:
    """The file's lines below the header, `size` at a time."""
    lines = islice(read_lines(run.file, form(run)), 1 + start, None)
    while chunk := list(islice(lines, size)):
        yield chunk


def _read(reader: Reader, lines: list[Line]) -> tuple[Counts, list[tuple[Line, Any]]]:
    counts, values = Counts(), []
    for line in lines:
        try:
            value = reader.value_of(line)
        except LineError as error:
            _add(counts, reader, line, error)
            continue
        if value is None:
            counts.left_out += 1
        else:
            values.append((line, value))
    return counts, values


def _judge(reader: Reader, lines: list[Line], values: list[tuple[Line, Any]], counts: Counts) -> list[tuple[Line, Any]]:
    """Without those that are there already or that writing would refuse."""
    if reader.kind.judge is None:
        return values
    good = []
    verdicts = reader.kind.judge([value for _, value in values], reader.prepared)
    for (line, value), verdict in zip(values, verdicts, strict=True):
        if isinstance(verdict, LineError):
            _add(counts, reader, line, verdict)
        elif verdict == THERE:
            counts.skipped += 1
        else:
            good.append((line, value))
    return good


def _add(counts: Counts, reader: Reader, line: Line, error: LineError) -> None:
    heading, value = reader.place(error, line)
    counts.bad += 1
    problem = ImportProblem(
        import_run=reader.run, line=line.number, column=heading[:200], value=value[:200], sentence=str(error)[:500]
    )
    counts.problems.append(problem)


def _news(run: Import, lines: list[Line], problems: list[ImportProblem]) -> list[ImportProblem]:
    """Problems that the check did not tell of: something changed since."""
    if not problems:
        return []
    told = run.problems.filter(line__gte=lines[0].number, line__lte=lines[-1].number).values_list("line", flat=True)
    known = set(told)
    return [problem for problem in problems if problem.line not in known]


def _count(run: Import, status: str, counts: Counts, lines: int) -> int:
    return Import.objects.filter(pk=run.pk, status=status).update(
        rows_done=F("rows_done") + lines,
        good=F("good") + counts.good,
        bad=F("bad") + counts.bad,
        skipped=F("skipped") + counts.skipped,
        left_out=F("left_out") + counts.left_out,
        attempts=0 if status == Status.RUNNING else F("attempts"),
    )


def _keep_up() -> None:
    """Fold where folding falls behind, so that live senders need not wait for a long import."""
    if measure().events > settings.INGEST_MAX_BACKLOG // 4:
        fold_all(seconds=5)


def _fail(run: Import, stage: str, sentence: str) -> None:
    options = {**run.options, "failed_in": stage}
    Import.objects.filter(pk=run.pk, status=run.status).update(
        status=Status.FAILED, problem=sentence, options=options, finished_at=timezone.now()
    )
