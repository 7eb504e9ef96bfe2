"""Locks between processes that the system releases when their holder dies, however it dies."""

import os
import sys
import time
from pathlib import Path

if sys.platform == "win32":  # pragma: no cover - not among the systems that the tests run on
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


AGAIN = 0.02  # seconds between tries


class FileLock:
    """An exclusive lock on a file, held until `release`, `forget` or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path, *, seconds: float = 0.0) -> "FileLock | None":
        """The lock, in a file that is made if needed; None where somebody holds it, or just took the file away.

        Waits for it `seconds`, never for ever: a holder may stand still. Raises OSError where the file cannot be made.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        deadline = time.monotonic() + seconds
        while True:
            try:
                _lock(descriptor)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return None
            time.sleep(AGAIN)
        if _is_still_there(descriptor, path):
            return cls(path, descriptor)
        os.close(descriptor)
        return None

    def release(self, *, remove: bool = False) -> None:
        """Let others have it; with `remove` the file goes too."""
        if self._descriptor is None:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        _unlock(self._descriptor)  # a child that was forked meanwhile has a copy, which would hold it
        os.close(self._descriptor)
        self._descriptor = None

    def forget(self) -> None:
        """In a forked child: close its copy. The parent's lock stays, since it goes with the last copy only."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_still_there(descriptor: int, path: Path) -> bool:
    try:
        ours, there = os.fstat(descriptor), path.stat()
    except OSError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
