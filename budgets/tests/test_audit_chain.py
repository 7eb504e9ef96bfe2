"""The chain of the history: set by the database whoever inserts, gapless under races, provable, also from a CSV."""

import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction
from django.utils import timezone

from budgets.audit import chain
from budgets.audit.chain import Anchor, Broken, Link, canonical, digest_of, follow, follow_part
from budgets.audit.checking import check_history, last_check
from budgets.audit.reading import digest_at, links, newest
from budgets.audit.record import Actor, record
from budgets.models import AuditEntry, HistoryCheck, Organisation
from budgets.organisation.configuration import changing_configuration
from budgets.tests.made import at_once

ACTOR = Actor.command("test")
TRICKY = {
    "text": "ünï\ncode \\ \"quoted\" 'x'",
    "number": 1.50,
    "big": 10**30,
    "none": None,
    "deep": [{"b": 1, "a": 2}],
}


def add(name="One", **values):
    values = {"before": None, "after": {"a": 1}, "reason": "", **values}
    return AuditEntry.objects.create(
        who_text="tester", origin="command", act="changed", object_type="budgets.budget", object_id="7",
        object_name=name, **values,
    )  # fmt: skip


def tamper(statement, *values):
    """As somebody who owns the table could."""
    turn("DISABLE TRIGGER USER")
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    turn("ENABLE TRIGGER USER")


def turn(what):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the commit keeps a table from being altered
        cursor.execute(f"ALTER TABLE budgets_auditentry {what}")


def verify(**options):
    out = StringIO()
    call_command("verify_history", stdout=out, **options)
    return out.getvalue()


@pytest.mark.django_db
def test_position_and_digest_are_the_databases_whatever_is_sent():
    first = add(position=77, digest=b"made up")
    add(before={"z": 1}, after=TRICKY, reason="why: 1:2")
    assert list(AuditEntry.objects.order_by("id").values_list("position", flat=True)) == [1, 2]
    first.refresh_from_db()
    user = [str(first.position), f"{first.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", None, "tester", "command",
            "changed", "budgets.budget", "7", "One", None, '{"a": 1}', ""]  # fmt: skip
    assert bytes(first.digest) == hashlib.sha256(bytes(32) + canonical(user)).digest()
    assert follow(links()) == newest() == Anchor(2, digest_at(2))


@pytest.mark.django_db
def test_many_rows_in_one_statement_are_chained_too():
    rows = [
        AuditEntry(who_text="x", origin="job", act="a", object_type="t", object_id=str(n), object_name="n")
        for n in range(5)
    ]
    AuditEntry.objects.bulk_create(rows)
    add()
    assert follow(links()).position == 6


def test_no_two_rows_give_the_same_text():
    assert canonical(["a", None]) == b"1:a\n-\n"
    assert canonical(["é"]) == "2:é\n".encode()
    assert len({canonical(one) for one in (["", "-"], [None, "-"], ["0:\n", ""], ["", "0:\n"], ["1:-\n"])}) == 5


@pytest.mark.django_db
def test_rows_are_neither_changed_nor_taken_away():
    add()
    turn("ENABLE TRIGGER USER")  # tests let it be emptied
    for statement in (
        "UPDATE budgets_auditentry SET reason = ''", "DELETE FROM budgets_auditentry", "TRUNCATE budgets_auditentry",
        "TRUNCATE auth_user CASCADE",
    ):  # fmt: skip
        with pytest.raises(Error, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "position", "said"),
    [
        ("UPDATE budgets_auditentry SET reason = 'other' WHERE position = 2", 2, "Row 2 is not what was written"),
        ("UPDATE budgets_auditentry SET who_text = 'lena' WHERE position = 3", 3, "Row 3 is not what was written"),
        ("UPDATE budgets_auditentry SET at = at + interval '1 microsecond' WHERE position = 1", 1, "Row 1 is not"),
        ("UPDATE budgets_auditentry SET before = '{}' WHERE position = 4", 4, "Row 4 is not what was written"),
        ("DELETE FROM budgets_auditentry WHERE position = 1", 1, "Row 1 is missing"),
        ("DELETE FROM budgets_auditentry WHERE position IN (2, 3)", 2, "Rows 2 to 3 are missing"),
    ],
)
def test_the_first_broken_place_is_named(statement, position, said):
    for n in range(5):
        add(f"Row {n}")
    tamper(statement)
    with pytest.raises(Broken, match=said) as broken:
        follow(links())
    assert broken.value.position == position
    with pytest.raises(CommandError, match=f"The history is broken. {said}"):
        verify()


@pytest.mark.django_db
def test_a_row_rewritten_with_its_digest_breaks_the_next():
    for n in range(3):
        add(f"Row {n}")
    tamper("UPDATE budgets_auditentry SET reason = 'forged' WHERE position = 2")
    tamper(
        "UPDATE budgets_auditentry AS e SET digest = budgets_audit_digest("
        "(SELECT digest FROM budgets_auditentry WHERE position = 1), e) WHERE position = 2"
    )
    with pytest.raises(Broken, match="Row 3 is not what was written"):
        follow(links())


@pytest.mark.django_db
def test_a_tail_cut_off_is_noticed_with_the_anchor(tmp_path):
    turn("ENABLE TRIGGER USER")
    anchor = tmp_path / "anchor.json"
    for n in range(3):
        add(f"Row {n}")
    assert "The history holds: 3 rows" in verify(anchor=anchor)
    noted = json.loads(anchor.read_text())
    assert noted == {"position": 3, "digest": newest().digest.hex()}
    add()
    assert f"Anchor: 4 {newest().digest.hex()}" in verify(anchor=anchor)
    tamper("DELETE FROM budgets_auditentry WHERE position > 2")
    assert "2 rows" in verify()
    with pytest.raises(CommandError, match="once reached row 4"):
        verify(anchor=anchor)
    add("again"), add("and again")
    with pytest.raises(CommandError, match="Row 4 has another digest than was noted"):
        verify(anchor=anchor)
    anchor.write_text("{}")
    with pytest.raises(CommandError, match="is no anchor"):
        verify(anchor=anchor)


@pytest.mark.django_db
def test_a_trigger_switched_off_is_named():
    turn("ENABLE TRIGGER USER")
    assert "protected by triggers only" in verify()
    turn("DISABLE TRIGGER budgets_auditentry_append_only")
    with pytest.raises(CommandError, match="switched off: budgets_auditentry_append_only"):
        verify()


@pytest.mark.django_db
def test_existing_rows_are_chained_by_the_migration():
    from importlib import import_module

    steps = import_module("budgets.migrations.0007_audit_chain")
    user = User.objects.create(username="lena")
    for n in range(4):
        add(f"Row {n}", who=user)
    tamper("UPDATE budgets_auditentry SET digest = '', position = -id")
    tamper("UPDATE budgets_auditentry SET position = 2000 + id")
    with connection.cursor() as cursor:
        cursor.execute(steps.CHAIN_EXISTING)
    assert list(AuditEntry.objects.order_by("id").values_list("position", flat=True)) == [1, 2, 3, 4]
    assert follow(links()).position == 4


@pytest.mark.django_db
def test_proving_takes_bounded_memory_and_statements(django_assert_num_queries, monkeypatch):
    monkeypatch.setattr("budgets.audit.reading.AT_A_TIME", 3)
    for n in range(7):
        add(f"Row {n}")
    with django_assert_num_queries(3):
        assert follow(links()).position == 7
    assert [link.position for link in links(2, 4)] == [3, 4, 5, 6]


@pytest.mark.django_db
def test_the_nightly_proof_goes_on_where_it_stopped_and_notices_old_rows_too():
    now = timezone.now()
    assert check_history(now).position == 0
    for n in range(7):
        add(f"Row {n}")
    assert check_history(now, most=5).position == 5
    second = check_history(now, most=5)
    assert (second.position, second.again_position, second.round_at) == (7, 3, now)
    later = check_history(datetime(2027, 1, 1, tzinfo=UTC), most=5)
    assert (later.again_position, later.round_at.year, later.problem) == (0, 2027, "")
    tamper("UPDATE budgets_auditentry SET reason = 'x' WHERE position = 2")
    assert check_history(now).problem == "Row 2 is not what was written: its digest does not fit."
    assert check_history(now, most=3).problem != "", "a new round has not come by the place yet"
    tamper("UPDATE budgets_auditentry SET reason = '' WHERE position = 2")
    assert [bool(check_history(now, most=3).problem) for _ in range(3)] == [True, True, False]
    tamper("DELETE FROM budgets_auditentry WHERE position > 6")
    assert "once reached row 7" in check_history(now).problem
    assert last_check().problem and HistoryCheck.objects.count() == 1


def fields(position, **values):
    said = {"position": str(position), "at": "2026-11-22T10:00:00.000000Z", "who": "x", "reason": "", **values}
    return tuple(said.get(name, None if name in chain.NULLABLE else "") for name in chain.FIELDS)


def some_links(count):
    found, previous = [], chain.START
    for n in range(1, count + 1):
        digest = digest_of(previous, fields(n))
        found.append(Link(n, fields(n), digest, previous))
        previous = digest
    return found


def test_a_part_is_proven_row_by_row():
    rows = some_links(6)
    assert follow_part([rows[1], rows[2], rows[4]]) == (3, Anchor(5, rows[4].digest))
    with pytest.raises(Broken, match="Row 3 does not go on"):
        follow_part([rows[1], Link(3, rows[2].fields, digest_of(b"x" * 32, rows[2].fields), b"x" * 32)])
    with pytest.raises(Broken, match="twice or out of order"):
        follow_part([rows[2], rows[1]])


def test_the_file_proves_an_export_by_itself(tmp_path):
    """An auditor has Python and the one file."""
    export = tmp_path / "history.csv"
    lines = [",".join(chain.COLUMNS)]
    for link in some_links(3):
        cells = [chain.written(one) for one in link.fields]
        lines.append(",".join([*cells, link.digest.hex(), link.previous.hex()]))
    export.write_text("\n".join(lines) + "\n")
    alone = tmp_path / "chain.py"
    shutil.copy(chain.__file__, alone)
    run = lambda *more: subprocess.run(  # noqa: E731
        [sys.executable, "-I", str(alone), str(export), *more], capture_output=True, text=True, check=False, cwd="/"
    )
    assert run().stdout.startswith("3 rows hold. The last: 3 ")
    export.write_text("\n".join([lines[0], lines[1], lines[3]]) + "\n")
    assert (run().returncode, run().stderr) == (1, "The history is broken, or this is none. Row 2 is missing.\n")
    assert run("--part").returncode == 0
    export.write_text("a,b\n1,2\n")
    assert "no row of an exported history" in run().stderr


@pytest.mark.django_db(transaction=True)
def test_eight_who_write_at_once_make_one_chain():
    Organisation.objects.get_or_create(id=1)

    def write(n):
        for i in range(25):
            with transaction.atomic():
                record(ACTOR, "changed", Organisation.get(), None, {"n": n, "i": i})

    at_once(*(lambda n=n: write(n) for n in range(8)))
    assert follow(links()).position == 200


@pytest.mark.django_db(transaction=True)
def test_changes_of_configuration_and_other_acts_do_not_lock_each_other_up():
    Organisation.objects.get_or_create(id=1)

    def configure():
        for _ in range(20):
            with changing_configuration():
                record(ACTOR, "changed", Organisation.get(), None, {})
                record(ACTOR, "changed", Organisation.get(), None, {})

    def other():
        for _ in range(20):
            with transaction.atomic():
                record(ACTOR, "revoked", Organisation.get(), None, {})

    at_once(configure, other, configure, other, configure, other)
    assert follow(links()).position == 180


@pytest.mark.django_db(transaction=True)
def test_a_writer_waits_for_the_one_before_and_not_for_its_rollback():
    Organisation.objects.get_or_create(id=1)
    wrote = threading.Event()

    def given_up():
        with transaction.atomic():
            add("given up")
            wrote.set()
            time.sleep(0.3)
            transaction.set_rollback(True)

    def kept():
        wrote.wait(10)
        add("kept")

    at_once(given_up, kept)
    assert [(row.position, row.object_name) for row in AuditEntry.objects.all()] == [(1, "kept")]
