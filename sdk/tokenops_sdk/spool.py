"""Events on disk until the server has them: a folder that several processes may share.

Each process writes a *lane* of its own, which is a lock file and numbered files of one event a line. The system gives
the lock back when the process dies, however it dies; then another process finds the lane free, and sends what is left
there. So an event has one sender at a time, and none is forgotten.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tokenops_sdk.keeping import sync_folder
from tokenops_sdk.locking import FileLock

BATCH_EVENTS = 1000
BATCH_BYTES = 2**20
LOCK_ENDING = ".lock"
PART_ENDING = ".jsonl"
REJECTED = "events.rejected"
MAX_REJECTED_BYTES = 32 * 2**20


class Lane:
    """What one process wrote. `append` is for one thread at a time, as is the rest."""

    def __init__(self, folder: Path, name: str, lock: FileLock) -> None:
        self.folder, self.name, self._lock = folder, name, lock
        self._descriptor: int | None = None
        self._number = max((_number(path) for path in self.parts()), default=0)
        self._events = self._bytes = 0
        self._unsynced = False
        self._ended: list[int] = []  # descriptors of parts that are whole, but may not be on the disk yet

    @classmethod
    def make(cls, folder: Path) -> "Lane":
        """A new lane, held. Raises OSError where the folder cannot be written."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            name = f"{os.getpid()}-{secrets.token_hex(6)}"
            lock = FileLock.take(folder / f"{name}{LOCK_ENDING}")
            if lock is not None:
                return cls(folder, name, lock)

    @classmethod
    def left(cls, folder: Path, but: "Lane | None" = None) -> "Iterator[Lane]":
        """Lanes whose process is gone, held from now on: `leave` each before the next is asked for."""
        names = {path.name.removesuffix(LOCK_ENDING) for path in folder.glob(f"*{LOCK_ENDING}")}
        names |= {path.name.rpartition("-")[0] for path in folder.glob(f"*{PART_ENDING}")}
        for name in sorted(names):
            if but is not None and name == but.name:
                continue
            try:
                lock = FileLock.take(folder / f"{name}{LOCK_ENDING}")
            except OSError:
                continue
            if lock is not None:
                yield cls(folder, name, lock)

    # Writing

    def append(self, line: bytes, *, sync: bool) -> None:
        """Write one event, a line without its end, at the end of the open part.

        When this returns, the line is the system's: it outlives the process. With `sync` it is on the disk. Raises
        OSError, and then nothing of it was written.
        """
        if self._descriptor is None:
            self._number += 1
            path = self.folder / f"{self.name}-{self._number:08}{PART_ENDING}"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(path, flags, 0o600)
            self._events = self._bytes = 0
            if sync:
                sync_folder(self.folder)
        content = line + b"\n"
        try:
            written = os.write(self._descriptor, content)
            if written != len(content):
                raise OSError(28, "No space left on device")
        except OSError:
            try:
                os.ftruncate(self._descriptor, self._bytes)
            except OSError:
                self.seal()  # the torn line stays the last of its part, where nobody reads it
            raise
        self._bytes += len(content)
        self._events += 1
        if sync:
            os.fsync(self._descriptor)
        else:
            self._unsynced = True

    @property
    def open_events(self) -> int:
        """Events in the part that is being written."""
        return self._events if self._descriptor is not None else 0

    @property
    def is_full(self) -> bool:
        """Whether the open part has as much as one batch takes."""
        return self.open_events >= BATCH_EVENTS or self._bytes >= BATCH_BYTES

    def take_unsynced(self) -> list[int]:
        """Descriptors to `fsync` and close: of parts to which something was written since the last time."""
        found, self._ended = self._ended, []
        if self._unsynced and self._descriptor is not None:
            found.append(os.dup(self._descriptor))
        self._unsynced = False
        return found

    def seal(self) -> None:
        """End the open part: what comes next begins another."""
        if self._descriptor is None:
            return
        if self._unsynced:
            self._ended.append(self._descriptor)
        else:
            os.close(self._descriptor)
        self._descriptor = None
        self._events = self._bytes = 0
        self._unsynced = False

    # Reading

    def parts(self) -> list[Path]:
        """All of its files, the oldest first; the last one may still be written."""
        return sorted(self.folder.glob(f"{self.name}-*{PART_ENDING}"))

    def sealed(self) -> list[Path]:
        """Its files that nobody writes any more."""
        parts = self.parts()
        return parts[:-1] if self._descriptor is not None else parts

    @property
    def has_events(self) -> bool:
        """Whether anything of it is not at the server yet."""
        return self.open_events > 0 or bool(self.parts())

    def leave(self) -> None:
        """Let go of it; where nothing is left, its lock file goes too."""
        self._close()
        self._lock.release(remove=not self.parts())

    def forget(self) -> None:
        """In a forked child: it is the parent's."""
        self._close()
        self._lock.forget()

    def _close(self) -> None:
        self.seal()
        for descriptor in self.take_unsynced():
            os.close(descriptor)


def lines_of(path: Path) -> list[bytes]:
    """The events of a part. A last line without an end was never promised to anybody."""
    *whole, _ = path.read_bytes().split(b"\n")
    return [line for line in whole if line]


def size_of(folder: Path) -> int:
    """Bytes of a spool folder that wait to be sent; 0 where there is none. What was refused takes no room from them."""
    size = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    size += entry.stat().st_size if entry.name != REJECTED else 0
                except OSError:
                    continue  # sent meanwhile
    except OSError:
        return 0
    return size


def keep_rejected(folder: Path, line: bytes, status: str, problem: Mapping[str, Any]) -> None:
    """Write an event that was refused, with the reason, where its sender finds it.

    Raises OSError, also where the file has grown to its limit.
    """
    try:
        event: Any = json.loads(line)
    except (ValueError, RecursionError):
        event = line.decode("utf-8", "replace")
    said = {"at": datetime.now(UTC).isoformat(), "status": status, "problem": problem, "event": event}
    descriptor = os.open(folder / REJECTED, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    content = json.dumps(said).encode() + b"\n"
    try:
        if os.fstat(descriptor).st_size + len(content) > MAX_REJECTED_BYTES:
            raise OSError(f"{REJECTED} holds its {MAX_REJECTED_BYTES:,} bytes")
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _number(path: Path) -> int:
    number = path.name.removesuffix(PART_ENDING).rpartition("-")[2]
    return int(number) if number.isdigit() else 0
