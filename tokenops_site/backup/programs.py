"""PostgreSQL's own pg_dump and pg_restore, of the version that fits the server."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from psycopg import conninfo

from tokenops_site.serve.programs import SYSTEM_FOLDERS, WHEELS, wheel_folder


class NoProgram(Exception):
    """pg_dump or pg_restore is missing or too old; the text says what to do."""


def find_program(name: str, server: int, *, at_least: int = 0, also: Path | None = None) -> tuple[Path, int]:
    """The program and its major version: the server's own version if there is one, else the next newer.

    pg_dump refuses servers newer than itself, pg_restore files of a newer pg_dump (`at_least`). Raises NoProgram.
    """
    found = dict(_versions(name, also))
    oldest = max(server, at_least)
    usable = sorted((major, path) for path, major in found.items() if major >= oldest)
    if usable:
        return usable[0][1], usable[0][0]
    have = ", ".join(sorted({str(major) for major in found.values()})) or "none"
    raise NoProgram(
        f"{name} of PostgreSQL {oldest} or newer is needed (found: {have}). Install PostgreSQL's client programs of"
        f" version {oldest} (on Debian: postgresql-client-{oldest}), or name their folder in TOKENOPS_POSTGRES."
    )


def connection_of(url: str) -> tuple[str, dict[str, str]]:
    """An address for the programs: without the password, which stands in the environment instead of the command."""
    parts = conninfo.conninfo_to_dict(url)
    password = parts.pop("password", None)
    return conninfo.make_conninfo("", **parts), {"PGPASSWORD": str(password)} if password else {}


def _versions(name: str, also: Path | None) -> Iterator[tuple[Path, int]]:
    seen: set[Path] = set()
    for folder in _folders(also):
        path = folder / name
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        try:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        if version := re.search(r"\) (\d+)", said):
            yield path, int(version[1])


def _folders(also: Path | None) -> Iterator[Path]:
    if also is not None:
        yield also
    for pattern in SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    for name in WHEELS:
        if folder := wheel_folder(name):
            yield folder
    # Last: on Debian what is on the PATH is a wrapper that chooses a version by itself.
    if on_path := shutil.which("pg_dump"):
        yield Path(on_path).parent
