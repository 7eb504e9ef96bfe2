"""What this machine offers to tests: PostgreSQL, Redis, Chromium. What is missing is skipped aloud, in CI never."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tokenops_site.serve.children import Lifeline, Program, start
from tokenops_site.serve.command import free_port
from tokenops_site.serve.embedded import OWNER, EmbeddedPostgres

CHROMIUM_PATHS = (
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
SKIPPED: set[str] = set()
# What tests leave is thrown away, also by a power cut: no waiting for the disk.
UNSAFE = ("--fsync=off", "--full_page_writes=off", "--synchronous_commit=off")


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def lacking(what: str) -> None:
    """Skip the test that needs it; in CI fail, because there a skipped test is a test nobody runs."""
    if in_ci():
        pytest.fail(f"CI must have {what}.")
    SKIPPED.add(what)
    pytest.skip(f"needs {what}")


def redis_url() -> str | None:
    """REDIS_URL, or a Redis on this machine's usual port; None when there is none."""
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
    where = urlsplit(url)
    try:
        with socket.create_connection((where.hostname or "127.0.0.1", where.port or 6379), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return url if connection.recv(64) else None
    except OSError:
        return None


def chromium_path() -> str | None:
    """CHROMIUM, or a browser where systems put it; None when there is none."""
    candidates = (os.environ.get("CHROMIUM", ""), shutil.which("chromium") or "", *CHROMIUM_PATHS)
    return next((one for one in candidates if one and os.access(one, os.X_OK)), None)


class PostgresForTests(EmbeddedPostgres):
    """Reached by TCP, as a server is: a socket's folder as host means `serve`'s own PostgreSQL to the product."""

    def __init__(self, folder: Path, supplier: str) -> None:
        super().__init__(folder, supplier)
        self.port = free_port()

    def url(self, database: str) -> str:
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def program(self) -> Program:
        program = super().program()
        options = [*UNSAFE, "--listen_addresses=127.0.0.1", f"--port={self.port}"]
        return replace(program, command=[*program.command, *options])


@contextmanager
def embedded_server() -> Iterator[str]:
    """An embedded PostgreSQL for this test run only; the address of its maintenance database."""
    folder = Path(tempfile.mkdtemp(prefix="tokenops-tests-"))
    folder.chmod(0o711)  # ours, just made: root's PostgreSQL runs as another user and must pass
    lifeline = Lifeline()
    postgres = PostgresForTests(folder, os.environ.get("TOKENOPS_POSTGRES", "auto"))
    postgres.prepare()
    guardian = start(postgres.program(), lifeline)
    try:
        postgres.wait_until_ready(lambda: guardian.poll() is None)
        yield postgres.url("postgres")
    finally:
        lifeline.cut()
        guardian.wait(timeout=40)
        shutil.rmtree(folder, ignore_errors=True)
