"""Backup and restore with real programs: on a server and embedded, whole, damaged, interrupted, newer and in use."""

import json
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.migrated import make_copy
from tests.stack import CHECKOUT, Stack
from tokenops_site.backup import archive
from tokenops_site.backup.programs import NoProgram, connection_of, find_program

pytestmark = pytest.mark.server  # programs of their own, and databases on the server
FILL = """
from datetime import datetime, timedelta, UTC
from budgets.audit.record import Actor
from budgets.limits.edit import BudgetValues, create_budget, change_budget
from dataclasses import replace
from budgets.models import Source
from usage.ingest.decode import decode
from usage.ingest.write import Sender, take
from usage.ledger.opening import open_due
from budgets.limits.evaluate import evaluate_due
from usage.tasks import fold
from routing.bundle.compile import compile_if_changed
actor = Actor.command("test")
values = BudgetValues(name="Everything", amount=10**12)
budget = create_budget(actor, values)
change_budget(actor, budget, replace(values, amount=2 * 10**12), "more")
source, _ = Source.objects.get_or_create(slug="s", defaults={"name": "s"})
now = datetime.now(UTC)
import json
events = [{"id": f"e{n}", "time": (now - timedelta(days=n % 40)).isoformat(), "model": "gpt-4.1",
    "provider": "openai", "input_tokens": 1000 + n, "output_tokens": 7, "workflow": "briefs", "run_id": f"r{n % 9}"}
    for n in range(300)]
answer = take(Sender(source.pk, source.slug, {"s": source.pk}), decode(json.dumps(events).encode(), "", {}, 1000))
open_due(); evaluate_due(); fold(); compile_if_changed()
"""
FIGURES = """
SELECT (SELECT count(*) FROM usage_ledger), (SELECT sum(cost) FROM usage_ledger),
    (SELECT sum(calls) FROM usage_quarterhour), (SELECT sum(spent) FROM budgets_budgetstate),
    (SELECT count(*) FROM usage_claim)
"""
EPOCH = "SELECT epoch FROM routing_bundleepoch"


def manage(environment, *words, check=True):
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=CHECKOUT, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def one(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()


class Server:
    """A database of its own on the server, with two roles."""

    def __init__(self, server_url, folder):
        token = secrets.token_hex(4)
        self.server_url, self.name, self.role = server_url, f"backup_{token}", f"backup_{token}_app"
        where = urlsplit(server_url)
        host = where.netloc.rpartition("@")[2]
        self.url = where._replace(netloc=f"{self.role}:secret@{host}", path=f"/{self.name}").geturl()
        self.owner_url = where._replace(path=f"/{self.name}").geturl()
        self.environment = {
            **os.environ, "DATABASE_URL": self.url, "DATABASE_OWNER_URL": server_url, "TOKENOPS_DATA_DIR": str(folder),
        }  # fmt: skip

    def databases(self):
        with psycopg.connect(self.server_url) as connection:
            found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{self.name}%"])
            return sorted(name for (name,) in found)

    def drop(self):
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            for name in self.databases():
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def clear(self):
        self.drop()
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self.role)))


@pytest.fixture(scope="module")
def filled(server_url, tmp_path_factory):
    """A filled database on the server, and its backup."""
    server = Server(server_url, tmp_path_factory.mktemp("data"))
    make_copy(server_url, server.name)
    try:
        manage(server.environment, "prepare")
        manage(server.environment, "shell", "-v", "0", "-c", FILL)
        server.file = tmp_path_factory.mktemp("backups") / "tokenops.backup"
        server.said = manage(server.environment, "backup", str(server.file)).stdout
        server.figures = one(server.owner_url, FIGURES)
        yield server
    finally:
        server.clear()


def test_a_backup_is_private_whole_and_says_what_is_in_it(filled):
    assert stat.S_IMODE(filled.file.stat().st_mode) == 0o600
    assert [path.name for path in filled.file.parent.iterdir()] == ["tokenops.backup"]
    assert "300 ledger rows" in filled.said and " MB." in filled.said and "SECRET_KEY is not in it" in filled.said
    with zipfile.ZipFile(filled.file) as file:
        assert file.namelist() == ["database.dump", "manifest.json"]
        facts = json.loads(file.read("manifest.json"))["facts"]
    assert facts["ledger_cost"] == str(filled.figures[1]) and facts["history"] >= 2


def test_a_server_is_destroyed_and_comes_back(filled):
    before = one(filled.owner_url, EPOCH)[0]
    filled.drop()
    said = manage(filled.environment, "restore", str(filled.file)).stdout
    assert "The history holds" in said and "Ledger, rollups, runs, claims and budgets agree" in said
    assert "can only add to the history" in said
    assert one(filled.owner_url, FIGURES) == filled.figures
    first = one(filled.owner_url, EPOCH)[0]
    assert first > before
    assert filled.databases() == [filled.name]
    owner = one(filled.url, "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'budgets_auditentry'")[0]
    assert owner != filled.role
    refused = manage(filled.environment, "restore", str(filled.file), check=False)
    assert refused.returncode == 1 and "is not empty. With --replace" in refused.stderr
    manage(filled.environment, "restore", str(filled.file), "--replace")
    assert one(filled.owner_url, EPOCH)[0] > first, "the same backup once more begins a newer epoch still"
    assert filled.databases() == [filled.name]
    kept = manage(filled.environment, "restore", str(filled.file), "--replace", "--keep-replaced").stdout
    assert "is kept as" in kept and len(filled.databases()) == 2


def test_it_is_refused_while_somebody_uses_the_database(filled):
    with psycopg.connect(filled.url):
        refused = manage(filled.environment, "restore", str(filled.file), "--replace", check=False)
    assert refused.returncode == 1
    assert f"1 connections to the database {filled.name} are open. Stop web" in refused.stderr


def spoil(name, whole, path):
    content = bytearray(whole.read_bytes())
    if name == "cut":
        content = content[: len(content) // 2]
    elif name == "flipped":
        content[len(content) // 2] ^= 1
    elif name == "text":
        content = b"name,amount\n"
    elif name == "empty":
        content = b""
    path.write_bytes(content)
    if name == "foreign":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme.txt", "x")
    if name in ("swapped", "newer", "format", "nonsense"):
        with zipfile.ZipFile(whole) as file:
            dump, manifest = file.read("database.dump"), json.loads(file.read("manifest.json"))
        change = {
            "swapped": {"sha256": "0" * 64},
            "newer": {"migrations": [*manifest["migrations"], ["usage", "9999_next_year"]]},
            "format": {"version": 2},
            "nonsense": {"more": 1},
        }[name]
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("database.dump", dump)
            file.writestr("manifest.json", json.dumps({**manifest, **change}))
    if name == "missing":
        path.unlink()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cut", "is no whole backup"), ("flipped", "is no whole backup"), ("text", "is no whole backup"),
        ("empty", "is no whole backup"), ("foreign", "is no whole backup"), ("swapped", "is damaged"),
        ("newer", "from a newer version of TokenOps (usage.9999_next_year)"), ("format", "version 2 of the format"),
        ("nonsense", "is no whole backup"), ("missing", "cannot be read: No such file"),
    ],
)  # fmt: skip
def test_what_is_no_good_backup_changes_nothing(filled, tmp_path, name, said):
    path = tmp_path / "bad.backup"
    spoil(name, filled.file, path)
    before, databases = one(filled.owner_url, EPOCH), filled.databases()
    refused = manage(filled.environment, "restore", str(path), "--replace", check=False)
    assert refused.returncode == 1 and said in refused.stderr
    assert (one(filled.owner_url, EPOCH), filled.databases()) == (before, databases)


def test_a_dump_that_pg_restore_refuses_changes_nothing(filled, tmp_path):
    path = tmp_path / "bad.backup"
    manifest = archive.read_checked(filled.file, lambda size: None)
    with archive.new_file(path) as made:
        sha256, size = archive.write_dump(made, iter([b"PGDMP no dump at all" * 100]))
        from dataclasses import replace

        archive.write_manifest(made, replace(manifest, sha256=sha256, size=size))
    before, databases = one(filled.owner_url, EPOCH), filled.databases()
    refused = manage(filled.environment, "restore", str(path), "--replace", check=False)
    assert refused.returncode == 1 and "pg_restore failed; nothing was changed" in refused.stderr
    assert (one(filled.owner_url, EPOCH), filled.databases()) == (before, databases)


def test_a_broken_chain_is_restored_said_and_the_old_database_kept(filled, tmp_path):
    with psycopg.connect(filled.owner_url) as connection:
        connection.execute("ALTER TABLE budgets_auditentry DISABLE TRIGGER USER")
        connection.execute("UPDATE budgets_auditentry SET reason = 'forged' WHERE position = 1")
        connection.execute("ALTER TABLE budgets_auditentry ENABLE TRIGGER USER")
    path = tmp_path / "forged.backup"
    manage(filled.environment, "backup", str(path))
    done = manage(filled.environment, "restore", str(path), "--replace", check=False)
    assert done.returncode == 2
    assert "The history is broken. Row 1 is not what was written" in done.stdout
    assert "is kept as" in done.stdout and "does not hold in it" in done.stdout
    filled.drop()
    manage(filled.environment, "restore", str(filled.file))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_backup_leaves_no_half_file(filled, tmp_path, number):
    """pg_dump is held up by somebody who has the ledger locked, so that the signal comes in the middle."""
    path = tmp_path / "half.backup"
    with psycopg.connect(filled.owner_url) as connection:
        connection.execute("LOCK TABLE budgets_team IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(
            [sys.executable, "manage.py", "backup", str(path)], cwd=CHECKOUT, env=filled.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1 and "Interrupted" in said and list(tmp_path.iterdir()) == []


def test_a_backup_that_fails_leaves_no_file(filled, tmp_path):
    path = tmp_path / "there.backup"
    path.write_text("mine")
    refused = manage(filled.environment, "backup", str(path), check=False)
    assert "exists already" in refused.stderr and path.read_text() == "mine"
    refused = manage(filled.environment, "backup", str(tmp_path / "no" / "such"), check=False)
    assert refused.returncode == 1 and "There is no folder" in refused.stderr
    nowhere = {**filled.environment, "DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "DATABASE_OWNER_URL": ""}
    refused = manage(nowhere, "backup", str(tmp_path / "new"), check=False)
    assert refused.returncode == 1 and "That did not work" in refused.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["there.backup"]


def test_programs_fit_the_server(tmp_path):
    with pytest.raises(NoProgram, match="pg_dump of PostgreSQL 99 or newer is needed"):
        find_program("pg_dump", 99)
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 99.1'\n")
    old.chmod(0o755)
    assert find_program("pg_dump", 98, also=tmp_path) == (old, 99)
    where, password = connection_of("postgresql://me:p%40ss@host:5/db?sslmode=require")
    assert password == {"PGPASSWORD": "p@ss"} and "p@ss" not in where
    assert "sslmode=require" in where and "host=host" in where


@pytest.mark.server
@pytest.mark.embedded
def test_the_embedded_database_is_destroyed_and_comes_back_on_another_machine():
    folder, other = (Path(tempfile.mkdtemp(prefix="tokenops-tests-")) for _ in range(2))
    stacks = []
    for one_folder in (folder, other):
        one_folder.chmod(0o711)  # root's PostgreSQL runs as another user and must pass
        stack = Stack(one_folder, "", "filesystem://", {"SECRET_KEY": ""})
        del stack.environment["DATABASE_URL"], stack.environment["SECRET_KEY"]
        stacks.append(stack)
    stack, away = stacks
    try:
        stack.start()
        stack.manage("shell", "-v", "0", "-c", FILL)
        file = folder / "running.backup"
        assert "300 ledger rows" in stack.manage("backup", str(file), "--with-secret-key")
        running = manage(stack.environment, "restore", str(file), "--replace", check=False)
        assert running.returncode == 1 and "TokenOps is running" in running.stderr
        stack.stop()
        stopped = folder / "stopped.backup"
        manage(stack.environment, "backup", str(stopped))
        said = manage(away.environment, "restore", str(file)).stdout
        assert "The history holds" in said and "agree" in said and "can only add to the history" in said
        assert (other / "secret-key").read_text() == (folder / "secret-key").read_text()
        away.start()
        assert "agree" in away.manage("check_ledger") and "The history holds" in away.manage("verify_history")
        figures = "from django.db import connection as c; k = c.cursor(); k.execute('''%s'''); print(k.fetchone())"
        assert away.manage("shell", "-v", "0", "-c", figures % FIGURES).startswith("(300, ")
        away.stop()
        assert "Done in" in manage(stack.environment, "restore", str(stopped), "--replace").stdout
        stack.start()
    finally:
        for stack in stacks:
            if stack.process is not None and stack.process.poll() is None:
                stack.stop()
            stack.kill_what_is_left()
        for one_folder in (folder, other):
            shutil.rmtree(one_folder)
