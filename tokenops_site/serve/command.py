"""`manage.py serve [--demo]`: from an empty folder to an address, and back to nothing on Ctrl-C."""

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tokenops_site.serve import installation
from tokenops_site.serve.commands import programs
from tokenops_site.serve.embedded import EmbeddedPostgres, PostgresDidNotStart, make_database
from tokenops_site.serve.installation import CHECKOUT, CannotServe
from tokenops_site.serve.programs import NoPostgres
from tokenops_site.serve.supervisor import Supervisor
from tokenops_site.serve.unprivileged import NoPlace

FIRST_ADMINISTRATOR = "First administrator: "
LONG_START = 30.0  # seconds after which a web process that does not answer is worth a line


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C. Returns the exit status: 0 after a wanted stop, 1 when something keeps it from starting."""
    parser = argparse.ArgumentParser(prog="manage.py serve", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="a simulated organisation in a database of its own")
    demo = parser.parse_args(arguments).demo
    folder = installation.data_folder(os.environ, demo)
    try:
        installation.make_folder(folder)
        held = installation.lock(folder)
        supervisor = Supervisor(folder / "children.json", keep_open=[held])
        supervisor.listen_to_signals()
        try:
            serve(supervisor, folder, demo)
        finally:
            supervisor.stop()
    except KeyboardInterrupt:
        sys.stdout.write("Stopped.\n")
        return 0
    except (CannotServe, NoPlace, NoPostgres, PostgresDidNotStart) as problem:
        sys.stderr.write(f"\nTokenOps did not start. {problem}\n")
        return 1
    return 0


def serve(supervisor: Supervisor, folder: Path, demo: bool) -> None:
    """Database, schema, children, address; then keep them running until a signal raises KeyboardInterrupt."""
    environment = settings(folder, demo)
    for name in ("PORT", "PUSH_PORT"):
        check_port(environment, name)
    environment["DATABASE_URL"], owner_url = database(supervisor, folder, demo)
    administrator = prepare(supervisor, {**environment, "DATABASE_OWNER_URL": owner_url})
    environment.pop("DATABASE_OWNER_URL", None)  # nothing that serves requests knows it
    installation.remember(folder, environment)
    for program in programs(environment, demo):
        supervisor.start(program)
    supervisor.run(on_tick=Announcement(supervisor, environment, demo, administrator))


def settings(folder: Path, demo: bool) -> dict[str, str]:
    """The children's environment, DATABASE_URL still to come. What the caller set stays."""
    environment = {name: value for name, value in os.environ.items() if value}
    environment.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
    environment.setdefault("STATIC_ROOT", str(folder / "static"))
    environment.setdefault("BROKER_URL", "filesystem://localhost/")
    environment.setdefault("PORT", "8000")
    if not environment["PORT"].isdigit():
        raise CannotServe(f"PORT={environment['PORT']!r}: write a number between 1 and 65534.")
    environment.setdefault("PUSH_PORT", str(int(environment["PORT"]) + 1))
    if "SECRET_KEY" not in environment:
        environment["SECRET_KEY"] = installation.secret_key(folder)
    environment["TOKENOPS_DATA_DIR"] = str(folder)
    environment["PYTHONUNBUFFERED"] = "1"
    if demo:
        environment["TOKENOPS_DEMO"] = "1"
    return environment


def check_port(environment: Mapping[str, str], name: str) -> None:
    """Raises CannotServe when another program listens there (a plain bind: SO_REUSEPORT would share it silently)."""
    host = environment.get("TOKENOPS_HOST", "127.0.0.1")
    try:
        port = int(environment[name])
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)  # macOS and Linux both refuse here what they let pass at bind
    except (OSError, OverflowError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        raise CannotServe(
            f"{name} {environment[name]} on {host} cannot be used ({why}). Choose another one, say "
            f"{name}={free_port()}, or stop the program that listens there."
        ) from None


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def database(supervisor: Supervisor, folder: Path, demo: bool) -> tuple[str, str]:
    """The application's address and the owner's ("" for none).

    DATABASE_URL as given (the demo: a database beside it), else that of the embedded server, started here.
    """
    given, owner = (os.environ.get(name, "").strip() for name in ("DATABASE_URL", "DATABASE_OWNER_URL"))
    if given:
        return demo_beside(given, owner) if demo else given, owner
    started = time.monotonic()
    postgres = EmbeddedPostgres(
        folder, os.environ.get("TOKENOPS_POSTGRES", "auto"), os.environ.get("TOKENOPS_POSTGRES_USER", "nobody")
    )
    postgres.prepare()
    supervisor.start(postgres.program())
    postgres.wait_until_ready(lambda: supervisor.is_running("postgres"))
    name = "tokenops_demo" if demo else "tokenops"
    make_database(postgres.url("postgres"), name)
    seconds = time.monotonic() - started
    supervisor.say(f"PostgreSQL {postgres.programs.major} is up in {postgres.place} ({seconds:.1f} s).")
    return postgres.application_url(name), postgres.url(name)


def demo_beside(url: str, owner_url: str = "") -> str:
    """The address of `<name>_demo` on the same server, created if need be. Raises CannotServe."""
    name = f"{urlsplit(url).path.lstrip('/') or 'tokenops'}_demo"
    try:
        make_database(owner_url or url, name)
    except psycopg.Error as problem:
        raise CannotServe(f"The demo's database {name} could not be made on DATABASE_URL's server: {problem}") from None
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def prepare(supervisor: Supervisor, environment: Mapping[str, str]) -> str:
    """Run `manage.py prepare` (schema, static files, first administrator); the sentence about the administrator."""
    done = subprocess.run(
        [sys.executable, "manage.py", "prepare"],
        cwd=CHECKOUT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    administrator = ""
    for line in done.stdout.splitlines():
        if line.startswith(FIRST_ADMINISTRATOR):
            administrator = line
        else:
            supervisor.say(line)
    if done.returncode != 0:
        raise CannotServe("The database could not be prepared; the reason stands above.")
    return administrator


class Announcement:
    """Says the address once the web process answers. Called on every tick of the supervisor."""

    def __init__(self, supervisor: Supervisor, environment: Mapping[str, str], demo: bool, administrator: str) -> None:
        self._supervisor = supervisor
        self._port = environment["PORT"]
        self._host = environment.get("TOKENOPS_HOST", "127.0.0.1")
        self._demo = demo
        self._administrator = administrator
        self._done = False
        self._next_try = 0.0
        self._complain_at = time.monotonic() + LONG_START

    def __call__(self) -> None:
        if self._done or time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + 0.3
        probe = "127.0.0.1" if self._host == "0.0.0.0" else self._host  # noqa: S104
        try:
            urllib.request.urlopen(f"http://{probe}:{self._port}/healthz", timeout=1).close()
        except OSError:  # urllib's HTTPError too
            if time.monotonic() > self._complain_at:
                self._supervisor.say("The web process gives no good answer yet; what it says stands above.")
                self._complain_at = time.monotonic() + LONG_START
            return
        self._done = True
        for line in self._lines():
            self._supervisor.say(line)

    def _lines(self) -> list[str]:
        shown = "localhost" if self._host in ("127.0.0.1", "0.0.0.0") else self._host  # noqa: S104
        by_hand = f"{'TOKENOPS_DEMO=1 ' if self._demo else ''}.venv/bin/python manage.py"
        lines = ["", f"TokenOps is running: http://{shown}:{self._port}/"]
        if self._demo:
            lines.append("This is DEMO DATA: a simulated marketing organisation, in a database of its own.")
        if self._administrator:
            lines.append(f"{self._administrator}   (shown once)")
        lines.append(f"A key for a sender: {by_hand} create_api_key NAME --scope ingest --scope bundle")
        return [*lines, "Ctrl-C stops everything.", ""]
