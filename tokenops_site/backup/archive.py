"""The file of a backup: a zip that any tool opens, with pg_dump's custom format in it and what must be true of it.

`database.dump` is PostgreSQL's own and restores with pg_restore alone; `manifest.json`, written last, says its SHA-256,
which migrations it has had, and figures of the moment it was taken; `secret-key` is there only if that was asked for.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT, VERSION = "tokenops-backup", 1
DUMP, MANIFEST, SECRET_KEY = "database.dump", "manifest.json", "secret-key"
CHUNK = 2**20


class BadFile(Exception):
    """It is no backup, or not a whole one; a sentence."""


@dataclass(frozen=True)
class Manifest:
    """What the file says of itself. `facts` are counts and sums at the moment of the backup."""

    made_at: str
    server: int
    program: int
    migrations: list[list[str]]
    facts: dict[str, Any]
    sha256: str
    size: int
    format: str = FORMAT
    version: int = VERSION


@contextmanager
def new_file(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip under another name that takes `path`'s place when it is whole, and is gone when it is not. Mode 600."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as made:
                yield made
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_dump(made: zipfile.ZipFile, chunks: Iterator[bytes]) -> tuple[str, int]:
    """Put the dump in as it comes; its SHA-256 and size."""
    digest, size = hashlib.sha256(), 0
    with made.open(DUMP, "w", force_zip64=True) as entry:
        for chunk in chunks:
            entry.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def write_manifest(made: zipfile.ZipFile, manifest: Manifest) -> None:
    made.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))


def read_checked(path: Path, on_progress: Callable[[int], None]) -> Manifest:
    """The manifest of a whole, unharmed backup. Reads all of it once. Raises BadFile."""
    try:
        with zipfile.ZipFile(path) as file:
            manifest = _manifest(file)
            digest, size = hashlib.sha256(), 0
            with file.open(DUMP) as entry:
                while chunk := entry.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    on_progress(size)
    except OSError as problem:
        raise BadFile(f"{path} cannot be read: {problem.strerror or problem}.") from None
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError):
        raise BadFile(f"{path} is no whole backup of TokenOps: it is cut off, damaged, or something else.") from None
    if (digest.hexdigest(), size) != (manifest.sha256, manifest.size):
        raise BadFile(f"{path} is damaged: what is in it is not what was put in.")
    return manifest


def dump_chunks(path: Path) -> Iterator[bytes]:
    """The dump, a piece at a time."""
    with zipfile.ZipFile(path) as file, file.open(DUMP) as entry:
        while chunk := entry.read(CHUNK):
            yield chunk


def secret_key_of(path: Path) -> str:
    """The secret key in it; "" when it was left out, or when it is no backup."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.read(SECRET_KEY).decode() if SECRET_KEY in file.namelist() else ""
    except (OSError, ValueError, zipfile.BadZipFile):
        return ""


def _manifest(file: zipfile.ZipFile) -> Manifest:
    said = json.loads(file.read(MANIFEST))
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise KeyError(MANIFEST)
    if said.get("version") != VERSION:
        raise BadFile(f"The backup has version {said.get('version')} of the format; this TokenOps reads {VERSION}.")
    try:
        return Manifest(**said)
    except TypeError:
        raise KeyError(MANIFEST) from None
