"""The application's own database role: of the history it can read and append, and nothing else, whatever it tries."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors, sql

from tests.migrated import make_copy
from tests.stack import CHECKOUT, Stack
from tokenops_site import roles
from tokenops_site.serve.children import Lifeline, start
from tokenops_site.serve.embedded import APPLICATION, EmbeddedPostgres, make_database

pytestmark = pytest.mark.server  # programs of their own, and databases on the server
REFUSED = (
    "UPDATE budgets_auditentry SET reason = 'x'",
    "DELETE FROM budgets_auditentry",
    "TRUNCATE budgets_auditentry",
    "TRUNCATE auth_user CASCADE",
    "DROP TABLE budgets_auditentry",
    "DROP TABLE budgets_auditentry CASCADE",
    "ALTER TABLE budgets_auditentry DISABLE TRIGGER ALL",
    "ALTER TABLE budgets_auditentry DISABLE TRIGGER budgets_auditentry_append_only",
    "DROP TRIGGER budgets_auditentry_append_only ON budgets_auditentry",
    "CREATE TRIGGER mine BEFORE INSERT ON budgets_auditentry FOR EACH ROW EXECUTE FUNCTION usage_refuse_change()",
    "CREATE RULE mine AS ON INSERT TO budgets_auditentry DO INSTEAD NOTHING",
    "ALTER TABLE budgets_auditentry OWNER TO CURRENT_USER",
    "ALTER TABLE budgets_auditentry ALTER COLUMN reason TYPE text USING ''",
    "ALTER TABLE budgets_auditentry RENAME TO gone",
    "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION budgets_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE OR REPLACE FUNCTION budgets_chain_audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "DROP FUNCTION budgets_refuse_change() CASCADE",
    "DROP SCHEMA public CASCADE",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "DROP DATABASE {database}",
    "ALTER DATABASE {database} RENAME TO gone",
)
ADD = """
INSERT INTO budgets_auditentry (at, who_text, origin, act, object_type, object_id, object_name, reason, position,
digest) VALUES (now(), 'x', 'job', 'changed', 't', '1', 'n', '', 1, '') RETURNING position
"""


def manage(application_url, owner_url, *words, check=True):
    environment = {**os.environ, "DATABASE_URL": application_url, "DATABASE_OWNER_URL": owner_url}
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def address(server_url, role, database):
    where = urlsplit(server_url)
    return where._replace(
        netloc=f"{role}:secret-{role}@{where.netloc.rpartition('@')[2]}", path=f"/{database}"
    ).geturl()


@pytest.fixture
def place(server_url):
    """Names of a database and two roles of its own, cleared away at the end: (database, owner, application)."""
    token = secrets.token_hex(4)
    names = (f"roles_{token}", f"owner_{token}", f"app_{token}")
    yield names
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(names[0])))
        for name in names[1:]:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def prove_protected(url):
    database = urlsplit(url).path.lstrip("/")
    with psycopg.connect(url, autocommit=True) as connection:
        before = connection.execute("SELECT coalesce(max(position), 0) FROM budgets_auditentry").fetchone()[0]
        assert connection.execute(ADD).fetchone() == (before + 1,)
        connection.execute("GRANT ALL ON budgets_auditentry TO CURRENT_USER")  # a warning; nothing is granted
        for statement in REFUSED:
            with pytest.raises((errors.InsufficientPrivilege, errors.RestrictViolation)):
                connection.execute(statement.format(database=database))
        # A table of the session's own, or another path, must not be what the trigger reads.
        connection.execute("CREATE TEMPORARY TABLE budgets_auditentry (position bigint, digest bytea)")
        connection.execute("SET search_path = pg_temp, public")
        assert connection.execute(ADD.replace("INTO budgets", "INTO public.budgets")).fetchone() == (before + 2,)


def test_on_a_server_the_application_can_only_append(server_url, place):
    database, _, application = place
    make_copy(server_url, database)
    url = address(server_url, application, database)
    first = manage(url, server_url, "prepare").stdout
    assert f"The role {application} was made for the application." in first
    assert "can only add to the history" in first
    prove_protected(url)
    again = manage(url, server_url, "prepare").stdout
    assert "was made" not in again and "can only add" in again
    assert "can only add" in manage(url, "", "prepare").stdout, "a start without the owner's address changes nothing"
    held = manage(url, "", "verify_history").stdout
    assert "can only add to the history" in held and "The history holds: 2 rows" in held


def test_an_owner_who_is_no_superuser_and_an_application_that_owned_everything(server_url, place):
    """As a company has it: one role owned database and tables until now; another shall own the history."""
    database, owner, application = place
    old, new = address(server_url, application, database), address(server_url, owner, database)
    with psycopg.connect(server_url, autocommit=True) as connection:
        for name, rights in ((owner, "CREATEROLE CREATEDB"), (application, "")):
            connection.execute(f"CREATE ROLE {name} LOGIN {rights} PASSWORD 'secret-{name}'")
        connection.execute(f"CREATE DATABASE {database} OWNER {application} TEMPLATE template0 ENCODING 'UTF8'")
        connection.execute(f"GRANT {application} TO {owner}")
    assert "triggers only" in manage(old, "", "prepare").stdout
    with psycopg.connect(old) as connection:
        connection.execute(ADD)
    assert "changed hands" in manage(old, new, "protect_history").stdout
    prove_protected(old)
    assert "can only add" in manage(old, new, "prepare").stdout


def test_what_cannot_protect_is_refused_in_a_sentence(server_url, place):
    database, owner, application = place
    make_database(server_url, database)
    url = address(server_url, application, database)
    with pytest.raises(roles.CannotProtect, match="both name the role"):
        roles.make_ready(server_url, urlsplit(server_url)._replace(path=f"/{database}").geturl())
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN PASSWORD 'secret-{owner}'")
        connection.execute(f"CREATE ROLE {application} LOGIN SUPERUSER PASSWORD 'secret-{application}'")
        with pytest.raises(roles.CannotProtect, match="superuser or nearly one"):
            roles.make_ready(server_url, url)
        connection.execute(f"ALTER ROLE {application} NOSUPERUSER")
        with pytest.raises(roles.CannotProtect, match="may not do what protecting"):
            roles.make_ready(address(server_url, owner, database), url)
        connection.execute(f"GRANT {urlsplit(server_url).username} TO {application}")
        with pytest.raises(roles.CannotProtect, match="member of the owner's"):
            roles.make_ready(server_url, url)
    with pytest.raises(roles.CannotProtect, match="names no role"):
        roles.make_ready(server_url, "postgresql://127.0.0.1/x")
    with pytest.raises(roles.CannotProtect, match="No connection"):
        roles.make_ready("postgresql://nobody@127.0.0.1:1/x", url)
    failed = manage(url, "postgresql://nobody@127.0.0.1:1/x", "protect_history", check=False)
    assert failed.returncode == 1 and "Traceback" not in failed.stderr


def test_migrations_that_wait_need_the_owner(server_url, place):
    database, _, application = place
    make_copy(server_url, database)
    url = address(server_url, application, database)
    manage(url, server_url, "prepare")
    owned = urlsplit(server_url)._replace(path=f"/{database}").geturl()
    last_but_one = sorted(one.stem for one in (CHECKOUT / "routing/migrations").glob("0*.py"))[-2]
    manage(owned, "", "migrate", "routing", last_but_one)
    refused = manage(url, "", "prepare", check=False)
    assert refused.returncode == 1 and "set DATABASE_OWNER_URL for this command" in refused.stderr
    manage(url, server_url, "prepare")


@contextmanager
def old_cluster(folder):
    """The data folder as the version before left it: one superuser, who owned and did everything."""
    postgres = EmbeddedPostgres(folder)
    postgres.prepare()
    lifeline = Lifeline()
    guardian = start(postgres.program(), lifeline)
    try:
        postgres.wait_until_ready(lambda: guardian.poll() is None)
        make_database(postgres.url("postgres"), "tokenops")
        yield postgres.url("tokenops")
    finally:
        lifeline.cut()
        guardian.wait(timeout=40)


@pytest.mark.server
@pytest.mark.embedded
def test_an_old_data_folder_moves_over_and_everything_still_works():
    folder = Path(tempfile.mkdtemp(prefix="tokenops-tests-"))
    folder.chmod(0o711)  # root's PostgreSQL runs as another user and must pass
    stack = Stack(folder, "", "filesystem://", {"LEDGER_RETENTION_DAYS": "62"})
    del stack.environment["DATABASE_URL"]
    try:
        with old_cluster(folder) as url:
            manage(url, "", "prepare")
            with psycopg.connect(url) as connection:
                connection.execute(ADD)
        (folder / "postgres-app-password").unlink()
        stack.start()
        remembered = (folder / "environment").read_text()
        assert f"postgresql://{APPLICATION}:" in remembered and "OWNER" not in remembered
        for process in stack.processes():
            assert process.name() == "postgres" or "DATABASE_OWNER_URL" not in process.environ(), process.cmdline()
        use(stack)
        application_url = remembered.partition("DATABASE_URL=")[2].splitlines()[0]
        prove_protected(application_url)
        stack.restart()
        assert "can only add to the history" in stack.manage("verify_history")
        stack.stop()
    finally:
        if stack.process is not None and stack.process.poll() is None:
            stack.stop()
        stack.kill_what_is_left()
        shutil.rmtree(folder)


def use(stack):
    """Keys, events of two months (one of them a new partition), a budget, folding, a month past retention."""
    key = stack.make_key(("ingest", "bundle", "admin", "read"))
    now = datetime.now(UTC)
    events = [
        {"id": f"e{n}", "time": (now - timedelta(days=n * 30)).isoformat(), "model": "gpt-4.1", "input_tokens": 10,
         "output_tokens": 1, "workflow": "briefs"}
        for n in range(3)
    ]  # fmt: skip
    assert post(stack, key, "/api/v1/events", events)["accepted"] == 3
    made = post(stack, key, "/api/v1/budgets", {"name": "All", "amount": "100", "scope": {}})
    assert made["slug"] == "all"
    code = (
        "from datetime import *; from usage.ledger.partitions import *; from usage.ledger.retention import *;"
        "from usage.tasks import fold; fold();"
        "old = datetime.now(UTC) - timedelta(days=200); ensure_months([old]);"
        "print('detached', len(expire(datetime.now(UTC))))"
    )
    assert "detached 1" in stack.manage("shell", "-v", "0", "-c", code)
    assert "agree" in stack.manage("check_ledger")
    assert "The history holds" in stack.manage("verify_history")


def post(stack, key, path, body):
    request = urllib.request.Request(
        stack.base_url + path, json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())
