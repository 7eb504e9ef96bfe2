"""What a child process is, and how it is started under its guardian."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GUARDIAN = Path(__file__).with_name("guardian.py")


@dataclass(frozen=True)
class Identity:
    """A user that a child runs as, when the supervisor is root."""

    user: int
    group: int


@dataclass(frozen=True)
class Program:
    """A command to keep running. `grace` is in seconds; `log` takes the output away from the terminal."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 5
    identity: Identity | None = None
    log: Path | None = None


@dataclass
class Lifeline:
    """A pipe that nobody writes to: it reads end-of-file when the owner, its only holder, is gone."""

    read: int = field(init=False)
    write: int = field(init=False)

    def __post_init__(self) -> None:
        self.read, self.write = os.pipe()

    def cut(self) -> None:
        """Let every guardian on it stop its command."""
        os.close(self.write)
        os.close(self.read)


def start(program: Program, lifeline: Lifeline, keep_open: Sequence[int] = ()) -> "subprocess.Popen[bytes]":
    """Start the program under a guardian and return the guardian; its pid is the process group of both.

    `keep_open` are descriptors that the guardian holds as long as it lives (the data folder's lock).
    """
    orders: dict[str, object] = {
        "lifeline": lifeline.read,
        "stop_signal": int(program.stop_signal),
        "grace": program.grace,
    }
    if program.identity is not None:
        orders |= {"user": program.identity.user, "group": program.identity.group}
    command = [sys.executable, "-I", "-S", str(GUARDIAN), json.dumps(orders), *program.command]
    log = None if program.log is None else os.open(program.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        return subprocess.Popen(
            command,
            cwd=program.directory,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if log is None else log,
            stderr=subprocess.STDOUT,
            pass_fds=(lifeline.read, *keep_open),
            start_new_session=True,
        )
    finally:
        if log is not None:
            os.close(log)


def kill_group(guardian: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to whatever is left of the guardian's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter: macOS, for a group of zombies
        os.killpg(guardian.pid, signal.SIGKILL)
