"""Take a backup: one moment of the database, while everything goes on."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from tokenops_site.backup import archive
from tokenops_site.backup.facts import facts_of, in_words, is_used, migrations_of, server_major
from tokenops_site.backup.place import Place
from tokenops_site.backup.programs import connection_of, find_program

SAID_EVERY = 5.0  # seconds
# Who was signed in is nobody's business later, and signing out must last.
LEFT_OUT = ("--exclude-table-data=django_session",)


class NotTaken(Exception):
    """Why there is no backup, in a sentence."""


def take(place: Place, path: Path, say: Callable[[str], None], *, with_secret_key: bool = False) -> None:
    """Write the backup to `path`, which must not exist. Raises NotTaken, NoProgram."""
    if path.exists():
        raise NotTaken(f"{path} exists already. Name another file.")
    if not path.parent.is_dir():
        raise NotTaken(f"There is no folder {path.parent}.")
    with psycopg.connect(place.owner_url, connect_timeout=10) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if not is_used(connection):
            raise NotTaken(f"The database {place.database} is empty: there is nothing to back up.")
        server = server_major(connection)
        program, version = find_program("pg_dump", server, also=place.tools)
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        facts, migrations = facts_of(connection), migrations_of(connection)
        say(f"Backing up {place.database} (PostgreSQL {server}): {in_words(facts)}.")
        with archive.new_file(path) as made:
            sha256, size = archive.write_dump(made, _dump(place, program, str(row[0]), say))
            if with_secret_key:
                made.writestr(archive.SECRET_KEY, place.environment["SECRET_KEY"])
            now = datetime.now(UTC).isoformat(timespec="seconds")
            archive.write_manifest(made, archive.Manifest(now, server, version, migrations, facts, sha256, size))
    say(f"{path}: {megabytes(path.stat().st_size)}.")
    if not with_secret_key:
        say(
            "SECRET_KEY is not in it. Keep that too, somewhere else: with another one the bundle gets new signing keys,"
            " and everybody signs in anew."
        )


def _dump(place: Place, program: Path, snapshot: str, say: Callable[[str], None]) -> Iterator[bytes]:
    """What pg_dump writes, as it comes. Raises NotTaken with its own words when it fails."""
    where, password = connection_of(place.owner_url)
    command = [str(program), "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *LEFT_OUT]
    size, said_at = 0, time.monotonic()
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [*command, f"--dbname={where}"], env={**place.environment, **password}, stdout=subprocess.PIPE,
            stderr=complaints, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            while chunk := process.stdout.read(archive.CHUNK):
                yield chunk
                size += len(chunk)
                if time.monotonic() > said_at + SAID_EVERY:
                    said_at = time.monotonic()
                    say(f"  {megabytes(size)} so far")
            failed = process.wait() != 0
        finally:
            process.kill()
            process.wait()
        if failed:
            complaints.seek(0)
            raise NotTaken(f"pg_dump failed: {complaints.read().decode(errors='replace').strip()[-500:]}")


def megabytes(size: int) -> str:
    """ "0.4 MB", "1,240 MB"."""
    value = size / 10**6
    return f"{value:,.1f} MB" if value < 10 else f"{value:,.0f} MB"
