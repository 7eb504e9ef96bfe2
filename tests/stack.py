"""The real processes (web, push, worker, beat) in a temporary folder, on free ports, with their own database."""

import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg import sql

from tests.migrated import make_copy
from tokenops_site.serve.command import free_port

CHECKOUT = Path(__file__).resolve().parent.parent


class Stack:
    """A running `manage.py serve`. Use `started`, which also stops it and drops its database.

    An empty `database_url` leaves the database to `serve`, which then starts an embedded one.
    """

    def __init__(self, folder: Path, database_url: str, broker_url: str, extra: Mapping[str, str]) -> None:
        self.folder = folder
        self.log = folder / "serve.log"
        self.database_url = database_url
        self.port, self.push_port = free_port(), free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.push_url = f"http://127.0.0.1:{self.push_port}"
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "SECRET_KEY": "a-key-for-tests-only-that-is-long-enough-to-please-django",
            "BROKER_URL": broker_url,
            "CELERY_QUEUE": f"test-{self.port}",
            "TOKENOPS_DATA_DIR": str(folder),
            "PORT": str(self.port),
            "PUSH_PORT": str(self.push_port),
            "TOKENOPS_ADMIN_PASSWORD": "correct horse battery",
            **extra,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 90) -> None:
        """Start `serve` and wait until it is ready; its log is in the error otherwise."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_ready(seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop `serve` and return its exit status; SIGKILL leaves the clearing away to the guardians."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop, by SIGKILL if asked for, and start again."""
        self.stop(number)
        self.start()

    def wait_ready(self, seconds: float = 90, path: str = "/readyz") -> None:
        deadline = time.monotonic() + seconds
        while self.status(path) != 200:
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"not ready; {self.log} ends:\n{self.tail()}")
            time.sleep(0.1)

    def status(self, path: str, base: str | None = None) -> int:
        """The HTTP status of a GET without a key; 0 when nobody answers."""
        try:
            with urllib.request.urlopen((base or self.base_url) + path, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as problem:
            return problem.code
        except OSError:
            return 0

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def manage(self, *arguments: str) -> str:
        """Run a management command as an operator beside the running stack would; its standard output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def make_key(self, scopes: Sequence[str] = ("ingest", "bundle"), source: str | None = None) -> str:
        """A new key's text, made by `manage.py create_api_key`."""
        name = f"test {secrets.token_hex(4)}"
        words = [word for scope in scopes for word in ("--scope", scope)]
        return self.manage("create_api_key", name, *words, *(["--source", source] if source else [])).strip()

    def guardian(self, name: str) -> psutil.Process:
        """The guardian now in charge of the child; its pid is the process group of all that belongs to it."""
        return psutil.Process(json.loads((self.folder / "children.json").read_text())["guardians"][name])

    def main_process(self, name: str) -> psutil.Process:
        """The child itself: granian's or Celery's first process."""
        return self.guardian(name).children()[0]

    def kill(self, name: str) -> None:
        """kill -9 of a child (web, push, worker, beat) or of `serve` itself."""
        if name == "serve":
            self.stop(signal.SIGKILL)
        else:
            self.main_process(name).kill()

    def processes(self) -> list[psutil.Process]:
        """Everything that this stack runs, found by its data folder in the environment, wherever its parent went."""
        wanted = f"TOKENOPS_DATA_DIR={self.folder}".encode()
        return [one for one in psutil.process_iter() if wanted in _environment(one)]

    def kill_what_is_left(self) -> None:
        """Clear away whatever a failed test left, and an embedded cluster that found no place in the folder."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        note = self.folder / "postgres-place"
        if note.exists():
            shutil.rmtree(note.read_text().strip(), ignore_errors=True)


def _environment(process: psutil.Process) -> list[bytes]:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return []
        return [f"{name}={value}".encode() for name, value in process.environ().items()]
    except (psutil.Error, OSError):
        return []


def start_alone_if_first(stack: Stack) -> None:
    """Stacks share the folder of static files, also those of other test processes: the first one fills it."""
    root = Path(stack.environment.get("STATIC_ROOT") or stack.folder / "static")
    with root.with_suffix(".lock").open("w") as lock:
        if not (root / "collected").exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
        stack.start()


@contextmanager
def started(
    folder: Path, server_url: str, broker_url: str, *, waits_for_disk: bool = True, **extra: str
) -> Iterator[Stack]:
    """A ready stack with a new database on the server; stopped, and the database dropped, at the end.

    Without `waits_for_disk` a commit is quicker, and safe as long as the database server itself is not killed.
    """
    name = f"stack_{secrets.token_hex(5)}"
    make_copy(server_url, name)
    if not waits_for_disk:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name)))
    stack = Stack(folder, urlsplit(server_url)._replace(path=f"/{name}").geturl(), broker_url, extra)
    try:
        start_alone_if_first(stack)
        yield stack
    finally:
        if stack.process is not None and stack.process.poll() is None:
            stack.stop()
        stack.kill_what_is_left()
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
