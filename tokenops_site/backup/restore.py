"""Restore a backup: into a new database first, which takes the old one's place only when it is proven.

So whatever goes wrong on the way, the database that was there is still there. Where the role may not create databases,
an empty one is filled directly, in one transaction.
"""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tokenops_site.backup import archive
from tokenops_site.backup.facts import OWN, facts_of, in_words, is_used, server_major
from tokenops_site.backup.place import Place
from tokenops_site.backup.programs import connection_of, find_program
from tokenops_site.backup.take import SAID_EVERY, megabytes
from tokenops_site.serve import installation
from tokenops_site.serve.embedded import make_database
from tokenops_site.serve.installation import CHECKOUT

# Clients compare epochs, and may have seen some that no database remembers: from this moment on they grow with the
# minutes, so that restoring the same backup twice still begins a newer one.
EPOCHS_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
Say = Callable[[str], None]


class NotRestored(Exception):
    """Why nothing was changed, in a sentence."""


def restore(place: Place, path: Path, say: Say, *, replace: bool = False, keep: bool = False) -> bool:
    """Bring the backup back. Whether its history and ledger hold. Raises BadFile, NotRestored, NoProgram."""
    manifest = archive.read_checked(path, _teller("checked", say))
    say(f"Backup of {manifest.made_at}: {in_words(manifest.facts)}.")
    _check_version(manifest)
    maintenance = _maintenance(place)
    epoch = _check_target(place, maintenance, replace=replace)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        server = server_major(connection)
    if manifest.server > server:
        raise NotRestored(
            f"The backup is from PostgreSQL {manifest.server}, this server is {server}: it may not understand it."
            " Nothing was changed."
        )
    program, _ = find_program("pg_restore", server, at_least=manifest.program, also=place.tools)
    new = _make_new(place, maintenance)
    try:
        _load(new, program, path, say)
        _compare(new, manifest)
        holds = _finish(new, max(epoch, int(manifest.facts["epoch"] or 1)), say)
        if new.database != place.database:
            _swap(place, new, maintenance, say, keep=keep or not holds)
    except BaseException:
        if new.database != place.database:
            _drop(maintenance, new.database)
        else:
            say("What came back so far stays in the database, which was empty before.")
        raise
    _settle_in(place, path, say)
    say(f"Restored: {in_words(manifest.facts)}, as when the backup was made.")
    if not holds:
        say("But what is said above does not hold in it. The database that was there before was kept.")
    return holds


def _check_version(manifest: archive.Manifest) -> None:
    known = {(app, path.stem) for app in OWN for path in (CHECKOUT / app / "migrations").glob("[0-9]*.py")}
    newer = [f"{app}.{name}" for app, name in map(tuple, manifest.migrations) if (app, name) not in known]
    if newer:
        raise NotRestored(
            f"The backup is from a newer version of TokenOps ({newer[-1]}). Update TokenOps first; nothing was changed."
        )


def _maintenance(place: Place) -> str:
    """The address of a database from which others are made and renamed."""
    for name in ("postgres", "template1"):
        url = place.named(name).owner_url
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=10).close()
            return url
    raise NotRestored("No connection to the server: neither to its database postgres nor to template1.")


def _check_target(place: Place, maintenance: str, *, replace: bool) -> int:
    """The epoch of what is there now, 0 for nothing. Raises NotRestored when it may not be replaced."""
    with psycopg.connect(maintenance, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [place.database]).fetchone()
        if found is None:
            return 0
        users = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename IS NOT NULL", [place.database]
        ).fetchone()
    if users and users[0]:
        raise NotRestored(
            f"{users[0]} connections to the database {place.database} are open. Stop web, push, worker, beat and"
            " whatever else uses it first; nothing was changed."
        )
    with psycopg.connect(place.owner_url, connect_timeout=10) as connection:
        if not is_used(connection):
            return 0
        if not replace:
            raise NotRestored(
                f"The database {place.database} is not empty. With --replace it is given up for the backup; nothing was"
                " changed."
            )
        with contextlib.suppress(psycopg.Error):  # another version's tables, or half of them
            row = connection.execute("SELECT epoch FROM routing_bundleepoch WHERE id = 1").fetchone()
            return int(row[0]) if row else 0
    return 0


def _make_new(place: Place, maintenance: str) -> Place:
    """An empty database beside the old one; the old one itself where it is empty and no other can be made."""
    new = place.named(f"{place.database}_restoring")
    _drop(maintenance, new.database)
    try:
        make_database(maintenance, new.database)
    except psycopg.errors.InsufficientPrivilege:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(place.owner_url) as connection:
            if not is_used(connection):
                return place
        raise NotRestored(
            "The role may not create databases, which restoring into a used one takes. Set DATABASE_OWNER_URL to one"
            " that may (ALTER ROLE … CREATEDB), or restore into an empty database; nothing was changed."
        ) from None
    return new


def _load(new: Place, program: Path, path: Path, say: Say) -> None:
    """Everything in one transaction."""
    where, password = connection_of(new.owner_url)
    command = [str(program), "--no-owner", "--no-privileges", "--single-transaction", f"--dbname={where}"]
    told, size = _teller("restored", say), 0
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command, env={**new.environment, **password}, stdin=subprocess.PIPE, stdout=complaints, stderr=complaints
        )
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # its own words tell why
                for chunk in archive.dump_chunks(path):
                    process.stdin.write(chunk)
                    size += len(chunk)
                    told(size)
                process.stdin.close()
            failed = process.wait() != 0
        finally:
            process.kill()
            process.wait()
        if failed:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()[-500:]
            raise NotRestored(f"pg_restore failed; nothing was changed. It said: {said}")


def _compare(new: Place, manifest: archive.Manifest) -> None:
    with psycopg.connect(new.owner_url) as connection:
        found = facts_of(connection)
    wrong = [name for name, value in manifest.facts.items() if found.get(name) != value]
    if wrong:
        raise NotRestored(f"What came back differs from the backup in {', '.join(wrong)}. Nothing was changed.")


def _finish(new: Place, epoch: int, say: Say) -> bool:
    """Bring it up to this version, begin a new epoch, prove history and ledger. Whether both hold."""
    _manage(new, say, "prepare")
    minutes = int((datetime.now(UTC) - EPOCHS_SINCE).total_seconds() // 60)
    _manage(new, say, "begin_bundle_epoch", "--at-least", str(max(epoch + 1, minutes)))
    proofs = [_manage(new, say, name, must=False) for name in ("verify_history", "check_ledger")]
    return all(proofs)


def _manage(new: Place, say: Say, *words: str, must: bool = True) -> bool:
    """Run a management command on the new database and pass on what it says. Whether it succeeded."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=CHECKOUT, env=new.child_environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        say(f"  {line}")
    if must and done.returncode != 0:
        raise NotRestored(f"`manage.py {words[0]}` failed on what came back, as said above. Nothing was changed.")
    return done.returncode == 0


def _swap(place: Place, new: Place, maintenance: str, say: Say, *, keep: bool) -> None:
    """The new database takes the old one's name, both renamed in one transaction."""
    aside = f"{place.database}_replaced_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    old_name, new_name = sql.Identifier(place.database), sql.Identifier(new.database)
    try:
        with psycopg.connect(maintenance) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [place.database]).fetchone()
            if there:
                connection.execute(rename.format(old_name, sql.Identifier(aside)))
            connection.execute(rename.format(new_name, old_name))
    except psycopg.errors.ObjectInUse:
        raise NotRestored(
            f"Somebody connected to the database {place.database} meanwhile. Nothing was changed."
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise NotRestored(f"The role may not rename the database {place.database}. Nothing was changed.") from None
    if there and keep:
        say(f"The replaced database is kept as {aside}.")
    elif there:
        _drop(maintenance, aside)


def _drop(maintenance: str, name: str) -> None:
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _settle_in(place: Place, path: Path, say: Say) -> None:
    """What lies beside the database: hints that are out of date, the secret key, the address for commands by hand."""
    shutil.rmtree(place.folder / "queue", ignore_errors=True)
    if not place.is_embedded:
        return
    installation.remember(place.folder, {**place.environment, "DATABASE_URL": place.application_url})
    kept, own = archive.secret_key_of(path), place.environment["SECRET_KEY"]
    if kept and kept != own:
        say("The backup holds another SECRET_KEY than the data folder's secret-key, which stays: put it there by hand.")


def _teller(what: str, say: Say) -> Callable[[int], None]:
    """Says every few seconds how far it is."""
    said_at = time.monotonic()

    def tell(size: int, *_: Any) -> None:
        nonlocal said_at
        if time.monotonic() > said_at + SAID_EVERY:
            said_at = time.monotonic()
            say(f"  {megabytes(size)} {what}")

    return tell
