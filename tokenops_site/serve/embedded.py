"""A PostgreSQL of our own: made, started and reached by this installation only.

No network: a Unix socket in a folder of mode 700, scram-sha-256 with random passwords kept in files of mode 600. The
superuser, who owns the history, is `serve`'s; the application has a role of its own (`tokenops_site/roles.py`).
Durable as a server's: fsync and full-page writes stay on, and the cluster has checksums.
"""

import contextlib
import hashlib
import locale
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from tokenops_site.serve.children import Identity, Program
from tokenops_site.serve.programs import Programs, find
from tokenops_site.serve.unprivileged import choose_place, identity, reachable_programs

OWNER = "tokenops"
APPLICATION = "tokenops_app"
# sun_path holds 104 bytes on macOS and 108 on Linux, the closing zero included; the socket's own name takes 15.
LONGEST_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432")
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
    "log_min_messages": "warning",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
    "password_encryption": "scram-sha-256",
}


class PostgresDidNotStart(Exception):
    """The text holds the last lines of PostgreSQL's own words."""


class EmbeddedPostgres:
    """The cluster that belongs to one data folder. Use: `prepare`, start `program()`, `wait_until_ready`."""

    def __init__(self, folder: Path, supplier: str = "auto", user: str = "nobody") -> None:
        self.folder = folder
        self.log = folder / "postgres.log"
        self._supplier = supplier
        note = folder / "postgres-place"
        noted = Path(note.read_text().strip()) if note.exists() else folder / "postgres"
        self.identity: Identity | None = identity(noted / "data", user)
        self.place = choose_place(folder, self.identity)
        self.data = self.place / "data"
        self.programs = self._find_programs()
        self.password = self._read_or_make_password("postgres-password")
        self.application_password = self._read_or_make_password("postgres-app-password")
        self.socket_folder = self._choose_socket_folder()

    def prepare(self) -> None:
        """Make the cluster if there is none, and clear what a killed server left. Raises PostgresDidNotStart."""
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._end_leftover_server()

    def program(self) -> Program:
        """The server as a child to keep running. SIGINT is PostgreSQL's fast, clean shutdown."""
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        options.append(f"--unix_socket_directories={self.socket_folder}")
        return Program(
            name="postgres",
            command=[self.programs.path("postgres"), "-D", str(self.data), *options],
            environment=self._environment(),
            directory=self.place,
            stop_signal=signal.SIGINT,
            grace=30,
            identity=self.identity,
            log=self.log,
        )

    def url(self, database: str) -> str:
        """The address of a database of this cluster for its superuser, as DATABASE_OWNER_URL wants it."""
        return f"postgresql://{OWNER}:{self.password}@{quote(str(self.socket_folder), safe='')}/{database}"

    def application_url(self, database: str) -> str:
        """The same for the application's role, as DATABASE_URL wants it. `manage.py prepare` makes that role."""
        where = quote(str(self.socket_folder), safe="")
        return f"postgresql://{APPLICATION}:{self.application_password}@{where}/{database}"

    def wait_until_ready(self, is_running: Callable[[], bool], seconds: float = 60) -> None:
        """Until it takes connections. Raises PostgresDidNotStart when it ends first or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            if not is_running():
                raise PostgresDidNotStart(f"PostgreSQL ended while starting. Its log {self.log} ends:\n{self.tail()}")
            time.sleep(0.05)
        raise PostgresDidNotStart(
            f"PostgreSQL is not up after {seconds:.0f} s. Its log {self.log} ends:\n{self.tail()}"
        )

    def tail(self, lines: int = 15) -> str:
        """The end of the server's log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"

    def _find_programs(self) -> Programs:
        version = self.data / "PG_VERSION"
        major = int(version.read_text()) if version.exists() else None
        return reachable_programs(find(self._supplier, major), self.place, self.identity)

    def _environment(self) -> dict[str, str]:
        """Without the caller's PG* variables, which would move the data folder or port; messages in English."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "TZ", "DYLD_LIBRARY_PATH")}
        return {**kept, "LC_ALL": _locale(), "LC_MESSAGES": "C", "HOME": str(self.place)}

    def _read_or_make_password(self, name: str) -> str:
        path = self.folder / name
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
        return path.read_text().strip()

    def _make_cluster(self) -> None:
        """Under another name first: a cluster whose making was interrupted is never taken for a whole one."""
        unfinished = self.place / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        password = self.place / "initdb-password"
        with contextlib.suppress(FileNotFoundError):
            password.unlink()
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.password)
        who = self.identity
        if who is not None:
            os.chown(password, who.user, who.group)
        command = [self.programs.path("initdb"), "-D", str(unfinished), "-U", OWNER, f"--pwfile={password}"]
        command += ["-A", "scram-sha-256", "-E", "UTF8", f"--locale={_locale()}", "--data-checksums"]
        try:
            made = subprocess.run(
                command,
                cwd=self.place,
                env=self._environment(),
                capture_output=True,
                text=True,
                check=False,
                user=None if who is None else who.user,
                group=None if who is None else who.group,
                extra_groups=None if who is None else [],
            )
        finally:
            password.unlink()
        if made.returncode != 0:
            last = "\n".join((made.stdout + made.stderr).splitlines()[-15:])
            raise PostgresDidNotStart(f"initdb could not make the data folder {self.data}:\n{last}")
        unfinished.rename(self.data)

    def _end_leftover_server(self) -> None:
        """Recognise a stale pid file. The caller holds the data folder's lock, so whatever still runs has no owner."""
        path = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
            process = psutil.Process(int(path.read_text().splitlines()[0]))
            if str(self.data) in process.cmdline():
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(timeout=30)
                except psutil.TimeoutExpired:
                    process.send_signal(signal.SIGQUIT)
                    process.wait(timeout=10)
        # PostgreSQL refuses to start when the number now belongs to any other process of the same user.
        for left in (path, self.socket_folder / ".s.PGSQL.5432.lock", self.socket_folder / ".s.PGSQL.5432"):
            left.unlink(missing_ok=True)

    def _choose_socket_folder(self) -> Path:
        """The place itself, or a short private folder when the path is too long for a socket's address."""
        if len(os.fsencode(self.place)) <= LONGEST_SOCKET_FOLDER:
            return self.place
        owner = os.geteuid() if self.identity is None else self.identity.user
        short = Path("/tmp") / f"tokenops-{hashlib.sha256(os.fsencode(self.place)).hexdigest()[:16]}"  # noqa: S108
        with contextlib.suppress(FileExistsError):
            short.mkdir(mode=0o700)
            if self.identity is not None:
                os.chown(short, owner, self.identity.group)
        seen = short.lstat()
        if stat.S_ISDIR(seen.st_mode) and seen.st_uid == owner and stat.S_IMODE(seen.st_mode) == 0o700:
            return short
        fresh = Path(tempfile.mkdtemp(prefix="tokenops-", dir="/tmp"))
        if self.identity is not None:
            os.chown(fresh, owner, self.identity.group)
        return fresh


def make_database(server_url: str, name: str) -> None:
    """Create the database unless it exists. `server_url` is the address of any database of that server."""
    create = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name))
    with (
        psycopg.connect(server_url, autocommit=True, connect_timeout=10) as connection,
        contextlib.suppress(psycopg.errors.DuplicateDatabase),
    ):
        connection.execute(create)


def _locale() -> str:
    """A UTF-8 locale that this machine has, so that upper and lower case work beyond ASCII."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "en_US.UTF-8"):
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_CTYPE, name)
                return name
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
