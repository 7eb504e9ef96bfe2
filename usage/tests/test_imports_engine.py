"""Imports of past usage on PostgreSQL: checked by line, exactly once, resumable, taken back."""

import csv
import io
from decimal import Decimal

import pytest
from django.db import OperationalError

from budgets.access.problems import Problem
from budgets.models import AuditEntry, Source, Workflow
from budgets.tests.made import at_once
from usage.imports import work
from usage.imports.decide import InvalidChoice, begin_undo, choose, confirm, discard, go_on
from usage.imports.kinds import all_kinds
from usage.imports.kinds import usage as usage_kind
from usage.imports.tasks import check_imports, run_imports
from usage.imports.work import work_on
from usage.ledger.check import check_ledger
from usage.models import Claim, Import, IngestBatch, LedgerEntry, QuarterHour
from usage.rollups.fold import fold_all
from usage.tests.events import price_the_model
from usage.tests.imports_made import ME, checked, counts, first_rows, fresh, imported, said, taken, undone

pytestmark = pytest.mark.django_db(transaction=True)
HEADER = "id,time,provider,model,workflow,input_tokens,cached_input_tokens,output_tokens,cost_usd\n"


@pytest.fixture(autouse=True)
def rows():
    first_rows()
    price_the_model()


def lines(many=10, start=0):
    return "".join(
        f"call-{n},2026-11-{1 + n % 20:02}T10:00:00Z,acme,test-model,briefs,1000,100,50,0.01\n"
        for n in range(start, start + many)
    )


BAD = (
    "x1,2026-13-01,acme,test-model,briefs,1,0,1,\n"
    "x2,2026-11-01,acme,,briefs,1,0,1,\n"
    "x3,2026-11-01,acme,test-model,briefs,10,11,1,\n"
    "x4,2026-11-01,acme,test-model,briefs,many,0,1,\n"
    "x5,2026-11-01,acme,test-model,briefs,1.5,0,1,\n"
    "x6,2019-01-01,acme,test-model,briefs,1,0,1,\n"
    "x7,2026-11-01,acme,test-model,briefs,1,0,1,0.1,too,many\n"
    "x8,2026-11-01,acme,test-model,briefs,-1,0,1,\n"
)


def test_the_check_tells_every_bad_line_and_writes_nothing():
    run = checked(HEADER + lines(3) + BAD + lines(2))
    assert counts(run) == (3, 8, 2, 0)
    told = said(run)
    assert [line for line, _, _ in told] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert told[0] == (
        5, "time", "“2026-13-01” is a date that no calendar has. Are day and month the other way round?"
    )  # fmt: skip
    assert told[1] == (6, "model", "Model is missing.")
    assert told[2][1] == "cached_input_tokens"
    assert told[5][2].startswith("time is before")
    assert "11 values, but the first line names 9" in told[6][2]
    assert run.problems.get(line=8).value == "many"
    assert not LedgerEntry.objects.exists()
    assert not Claim.objects.exists()
    assert not Workflow.objects.filter(slug="briefs").exists()
    assert dict(run.summary)["New workflows"] == "briefs (3). They appear as discovered, to be claimed"
    assert dict(run.summary)["Tokens"] == "3,000 in, 150 out"
    assert dict(run.summary)["Cost as the file states it"] == "$0.03"


def test_the_totals_told_before_are_those_in_the_ledger():
    run = imported(HEADER + lines(25))
    assert counts(run) == (25, 0, 0, 0)
    fold_all()
    assert check_ledger() == []
    assert sum(QuarterHour.objects.values_list("calls", flat=True)) == 25
    cost = sum(QuarterHour.objects.values_list("cost", flat=True))
    assert f"${Decimal(cost) / 10**9:,.2f}" == dict(run.summary)["Cost at our prices"]
    assert set(LedgerEntry.objects.values_list("reported_cost", flat=True)) == {10_000_000}
    assert Source.objects.filter(slug="import-csv").exists()


def test_the_same_file_twice_brings_nothing_and_an_overlapping_one_what_is_new():
    imported(HEADER + lines(5))
    again = checked(HEADER + lines(5))
    assert counts(again) == (0, 0, 5, 0)
    with pytest.raises(Problem, match="No line of this file"):
        confirm(ME, again.pk)
    more = imported(HEADER + lines(5, start=3))
    assert counts(more) == (3, 0, 2, 0)
    assert LedgerEntry.objects.count() == 8


def test_lines_without_an_id_are_told_apart_by_what_they_are_about():
    text = "time,model,workflow,input_tokens,output_tokens\n" + 2 * "2026-11-01 10:00,test-model,SEO Briefs,10,1\n"
    assert counts(imported(text)) == (2, 0, 0, 0)
    assert counts(checked(text)) == (0, 0, 2, 0)
    assert LedgerEntry.objects.values_list("workflow_id", flat=True).distinct().count() == 1
    assert Workflow.objects.filter(slug="seo-briefs").exists()
    other = checked(text.replace(",10,1", ",11,1"))
    assert counts(other) == (0, 2, 0, 0)
    assert "other figures" in said(other)[0][2]


def test_one_id_twice_in_a_file():
    run = checked(HEADER + lines(2) + lines(1) + "call-1,2026-11-02T10:00:00Z,acme,test-model,briefs,7,0,7,\n")
    assert counts(run) == (2, 1, 1, 0)
    done = imported(HEADER + lines(2) + lines(1))
    assert counts(done) == (2, 0, 1, 0)


def test_undo_gives_everything_back_and_a_corrected_file_may_come():
    run = imported(HEADER + lines(10))
    back = undone(run)
    assert (back.status, back.undo_rows, back.undo_done) == ("undone", 10, 10)
    fold_all()
    assert check_ledger() == []
    assert sum(QuarterHour.objects.values_list("cost", flat=True)) == 0
    corrected = imported(HEADER + lines(10).replace(",1000,", ",2000,"))
    assert counts(corrected) == (10, 0, 0, 0)
    fold_all()
    assert check_ledger() == []
    assert sum(QuarterHour.objects.values_list("input_tokens", flat=True)) == 20_000
    with pytest.raises(Problem, match="is “undone” now"):
        begin_undo(ME, run.pk)


def test_history_has_every_step():
    undone(imported(HEADER + lines(2)))
    acts = AuditEntry.objects.filter(object_type="usage.import").order_by("id").values_list("act", "who_text")
    assert [act for act, _ in acts] == [
        "uploaded", "chose columns of", "import started", "imported", "undo started", "undone",
    ]  # fmt: skip
    assert {who for _, who in acts} == {"command test"}


def test_history_says_which_columns_were_chosen():
    run = taken(HEADER + lines(1))
    guessed = dict(run.mapping)
    with pytest.raises(InvalidChoice):
        choose(ME, run.pk, {"time": "no such"}, {})
    chosen = {name: heading for name, heading in guessed.items() if name != "cost_usd"}
    choose(ME, run.pk, chosen, {"order": "day"})
    told = AuditEntry.objects.get(act="chose columns of")
    assert told.before == {"columns": guessed, "options": {"order": run.options["order"]}}
    assert told.after == {"columns": chosen, "options": {"order": "day"}}


class Killed(BaseException):
    """As abrupt as a kill: nothing catches it."""


def die_after(monkeypatch, name, times):
    left = [times]
    real = getattr(work, name)

    def dying(*args, **kwargs):
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return real(*args, **kwargs)

    monkeypatch.setattr(work, name, dying)


@pytest.fixture
def small_chunks(monkeypatch):
    import dataclasses

    kinds = {**all_kinds(), "usage": dataclasses.replace(usage_kind.KIND, chunk=4)}
    monkeypatch.setattr("usage.imports.decide.all_kinds", lambda: kinds)
    monkeypatch.setattr(usage_kind, "CHUNK", 4)


@pytest.mark.parametrize("where", ["_keep_up", "_count"])
def test_a_killed_import_goes_on_and_counts_once(monkeypatch, small_chunks, where):
    run = checked(HEADER + lines(21))
    confirm(ME, run.pk)
    with monkeypatch.context() as patched:
        die_after(patched, where, 2)
        with pytest.raises(Killed):
            work_on(run.pk)
    assert fresh(run).rows_done in {8, 12}
    run_imports()
    done = fresh(run)
    assert (done.status, done.rows_done, counts(done)) == ("done", 21, (21, 0, 0, 0))
    fold_all()
    assert check_ledger() == []
    assert IngestBatch.objects.count() == 6
    begin_undo(ME, run.pk)
    with monkeypatch.context() as patched:
        die_after(patched, "_keep_up", 2)
        with pytest.raises(Killed):
            work_on(run.pk)
    assert fresh(run).undo_done == 12
    run_imports()
    assert (fresh(run).status, fresh(run).undo_done) == ("undone", 21)
    fold_all()
    assert check_ledger() == []
    assert LedgerEntry.objects.filter(kind=2).count() == 21


def test_two_workers_at_one_import_do_it_once(small_chunks):
    run = checked(HEADER + lines(30))
    confirm(ME, run.pk)
    at_once(lambda: work_on(run.pk), lambda: work_on(run.pk))
    run_imports()
    assert (fresh(run).status, counts(fresh(run))) == ("done", (30, 0, 0, 0))
    begin_undo(ME, run.pk)
    at_once(lambda: work_on(run.pk), lambda: work_on(run.pk))
    run_imports()
    assert fresh(run).undo_done == 30
    fold_all()
    assert check_ledger() == []


def test_an_import_that_fails_on_the_way_is_taken_up_or_taken_back(monkeypatch, small_chunks):
    run = checked(HEADER + lines(12))
    confirm(ME, run.pk)
    real, left = usage_kind.Intake.write, [2]

    def failing(*args):
        left[0] -= 1
        if left[0] < 0:
            raise OperationalError("the disk is full")
        return real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(usage_kind.Intake, "write", failing)
        work_on(run.pk)
    failed = fresh(run)
    assert (failed.status, failed.rows_done) == ("failed", 8)
    assert failed.problem.startswith("Something went wrong in TokenOps.") and "disk" not in failed.problem
    with pytest.raises(Problem):
        discard(ME, run.pk)
    go_on(ME, run.pk)
    work_on(run.pk)
    assert counts(fresh(run)) == (12, 0, 0, 0)


def test_a_check_that_never_ends_gives_up(monkeypatch):
    run = taken(HEADER + lines(3))
    choose(ME, run.pk, run.mapping, {})
    with monkeypatch.context() as patched:
        die_after(patched, "_count", 0)
        for _ in range(3):
            with pytest.raises(Killed):
                work_on(run.pk)
    check_imports()
    assert fresh(run).status == "failed"
    assert "begun 3 times" in fresh(run).problem
    go_on(ME, run.pk)
    check_imports()
    assert fresh(run).status == "checked"


def test_columns_that_cannot_be():
    run = taken(HEADER + lines(1))
    assert run.mapping["input_tokens"] == "input_tokens"
    with pytest.raises(InvalidChoice) as refused:
        choose(ME, run.pk, {"time": "time", "provider": "time", "user": "nowhere", "zebra": "id"}, {"zone": "Mars"})
    problems = refused.value.problems
    assert "no line can be imported without it" in problems["model"]
    assert "already" in problems["provider"]
    assert "no column" in problems["user"]
    assert "no field" in problems["zebra"]
    assert "no time zone" in problems["zone"]
    with pytest.raises(InvalidChoice, match="small letters"):
        choose(ME, run.pk, run.mapping, {"workflow": "SEO Briefs"})


def test_columns_chosen_once_are_offered_for_the_next_such_file():
    text = "when,which,words in\n2026-11-01,test-model,5\n"
    run = taken(text)
    assert run.mapping == {}
    choose(ME, run.pk, {"time": "when", "model": "which", "input_tokens": "words in"}, {"decimal": "comma"})
    again = taken(text + "2026-11-02,test-model,5\n")
    assert again.mapping == {"time": "when", "model": "which", "input_tokens": "words in"}
    assert again.options["decimal"] == "comma"
    bad = taken("when,which,words in,problem_line,problem\n2026-11-01,test-model,5,2,Bad\n")
    assert bad.mapping == again.mapping


def test_semicolons_decimal_commas_and_days_first():
    text = "Datum;model;input_tokens;cost_usd\n31.12.2025 14:00;test-model;1.000;0,25\n"
    run = taken(text.replace("Datum", "date").encode("cp1252"))
    assert run.options["delimiter"] == ";"
    assert (run.options["decimal"], run.options["order"]) == ("comma", "day")
    choose(ME, run.pk, run.mapping, {"zone": "Asia/Kathmandu"})
    work_on(run.pk)
    confirm(ME, run.pk)
    work_on(run.pk)
    row = LedgerEntry.objects.get()
    assert row.time.isoformat() == "2025-12-31T08:15:00+00:00"
    assert (row.input_tokens, row.reported_cost) == (1000, 250_000_000)


def test_a_date_that_could_be_either_must_be_settled():
    run = taken("time,model\n03/04/2026,test-model\n")
    with pytest.raises(InvalidChoice, match="day or the month comes first"):
        choose(ME, run.pk, run.mapping, {"order": ""})
    choose(ME, run.pk, run.mapping, {"order": "month"})
    work_on(run.pk)
    assert dict(fresh(run).summary)["Days"] == "4 Mar 2026"


def test_a_line_that_sums_many_calls():
    run = imported("time,model,requests,input_tokens,output_tokens\n2026-11-01,test-model,1204,500000,1000\n")
    assert dict(run.summary)["Lines that sum many calls"] == "1, counted as one call each; 1,204 calls stated"
    row = LedgerEntry.objects.get()
    assert row.tags == {"imported": "aggregate", "calls": "1204"}
    assert row.time.hour == 12


def test_a_spreadsheet_of_bad_lines_is_bounded(monkeypatch):
    monkeypatch.setattr(work, "MOST_PROBLEMS", 5)
    run = checked("time,model\n" + 20 * "never,test-model\n")
    assert counts(run) == (0, 20, 0, 0)
    assert run.problems.count() == 5


def test_old_files_are_forgotten(settings):
    run = imported(HEADER + lines(1))
    Import.objects.update(finished_at="2026-01-01T00:00Z")
    run_imports()
    assert bytes(fresh(run).file) == b""
    assert undone(run).status == "undone"


def test_every_kind_has_an_example_that_can_be_mapped():
    for kind in all_kinds().values():
        header, *rows_ = list(csv.reader(io.StringIO(kind.example)))
        assert rows_, kind.key
        run = taken(kind.example, kind.key)
        missing = [column.name for column in kind.columns if column.required and column.name not in run.mapping]
        assert missing == [], kind.key
        assert len(run.mapping) == len(header), kind.key


def test_more_lines_than_a_kind_takes_at_a_time(monkeypatch):
    import dataclasses

    kinds = {**all_kinds(), "usage": dataclasses.replace(usage_kind.KIND, most=5)}
    monkeypatch.setattr("usage.imports.decide.all_kinds", lambda: kinds)
    run = checked(HEADER + lines(6))
    assert (run.status, run.problem) == (
        "failed", "The file has more lines than can be imported at a time: 5. Split it."
    )  # fmt: skip
