"""One migrated database for a whole run, of which its others are copies: migrating takes ten seconds of a processor."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tokenops_site.serve.embedded import make_database

CHECKOUT = Path(__file__).resolve().parent.parent
NAME = "TOKENOPS_TESTS_MIGRATED"  # the variable that tells all processes of a run the database's name

# Looking for garbage among the models of ninety migrations takes a third of it.
MIGRATE = """
import gc
import django
from django.core.management import call_command
django.setup()
gc.disable()
call_command("migrate", interactive=False, verbosity=0)
"""


@contextmanager
def for_this_run(server_url: str, *, at_once: bool) -> Iterator[None]:
    """Named for the processes of this run, dropped at its end. `at_once`: made while they still collect their tests."""
    os.environ[NAME] = f"tokenops_migrated_{secrets.token_hex(5)}"
    command = [sys.executable, "-m", "tests.migrated", server_url]
    making = subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.DEVNULL) if at_once else None
    try:
        yield
    finally:
        if making is not None:
            making.terminate()
            making.wait()
        # A run without a server, because it needed none, ends without one.
        with suppress(psycopg.OperationalError), psycopg.connect(server_url, autocommit=True) as connection:
            for name in (os.environ[NAME], f"{os.environ[NAME]}_unfinished"):
                connection.execute(_say("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))


def migrated(server_url: str) -> str:
    """Its name. Whoever asks first makes it, the others wait."""
    name = os.environ[NAME]
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])  # until the connection is closed
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            unfinished = f"{name}_unfinished"
            make_database(server_url, unfinished)
            _migrate(urlsplit(server_url)._replace(path=f"/{unfinished}").geturl())
            connection.execute(_say("ALTER DATABASE {} RENAME TO {}", unfinished, name))
    return name


def make_copy(server_url: str, name: str) -> None:
    """A database of this name with all that the migrations make, on the same server."""
    template = migrated(server_url)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(_say("CREATE DATABASE {} TEMPLATE {}", name, template))


def _migrate(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MIGRATE],
        cwd=CHECKOUT, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _say(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))


if __name__ == "__main__":
    migrated(sys.argv[1])
