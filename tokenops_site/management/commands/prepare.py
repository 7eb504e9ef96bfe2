"""Bring the database up to this version of the code: schema, static files, the first administrator."""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dj_database_url
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import OperationalError

from budgets.audit.protection import ROLE, WORDS, protection
from budgets.models import Membership, Role
from tokenops_site import roles
from tokenops_site.serve.command import FIRST_ADMINISTRATOR

OLDEST_SERVER = 140_000  # PostgreSQL 14


class Command(BaseCommand):
    help = "Migrate, collect static files when they changed, make the first administrator. Run before every start."
    requires_system_checks: list[str] = []  # they import every page; what they find is for `make check`

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--static-only", action="store_true", help="no database: for the build of an image")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["static_only"]:
            self._migrate()
        self._collect_static()
        if not options["static_only"]:
            self._make_first_administrator()

    def _migrate(self) -> None:
        """As the owner where DATABASE_OWNER_URL names one, who keeps the history and hands the rest over."""
        owner_url = settings.DATABASE_OWNER_URL
        try:
            if owner_url:
                for sentence in roles.make_ready(owner_url, settings.DATABASE_URL):
                    self.stdout.write(sentence)
            self._check_server(is_owner=bool(owner_url))
            if owner_url:
                with as_owner(owner_url):
                    call_command("migrate", interactive=False, verbosity=0)
                roles.hand_over(owner_url, settings.DATABASE_URL)
            else:
                call_command("migrate", interactive=False, verbosity=0)
        except roles.CannotProtect as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write("The database's schema is up to date.")
        found = protection()
        advice = "" if found == ROLE else " DATABASE_OWNER_URL gives it a role of its own (docs/running.md)."
        self.stdout.write(f"{WORDS[found]}{advice}")

    def _check_server(self, *, is_owner: bool) -> None:
        try:
            connection.ensure_connection()
        except OperationalError as problem:
            raise CommandError(f"No connection to the database of DATABASE_URL: {problem}") from None
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::int, to_regclass('budgets_auditentry')")
            version, history = cursor.fetchone()
        if version < OLDEST_SERVER:
            raise CommandError("TokenOps needs PostgreSQL 14 or newer.")
        if history and not is_owner and protection() == ROLE and _is_behind():
            raise CommandError(
                "The database must be brought up to this version as its owner: set DATABASE_OWNER_URL for this command."
            )

    def _collect_static(self) -> None:
        """Only when a file changed: compressing all of them takes seconds. One process at a time in one folder."""
        root = Path(settings.STATIC_ROOT)
        stamp, wanted = root / "collected", _fingerprint()
        if _says(stamp, wanted):
            return
        root.parent.mkdir(parents=True, exist_ok=True)
        with (root.parent / f".{root.name}.collecting").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _says(stamp, wanted):
                return
            call_command("collectstatic", interactive=False, verbosity=0, clear=root.exists())
            stamp.write_text(wanted)
        self.stdout.write("Static files are collected.")

    def _make_first_administrator(self) -> None:
        """With TOKENOPS_ADMIN_PASSWORD as password if set, else a random one that is printed this once."""
        people = get_user_model()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE auth_user IN EXCLUSIVE MODE")  # two containers that start together make one
            if people.objects.exists():
                return
            given = os.environ.get("TOKENOPS_ADMIN_PASSWORD", "")
            password = given or secrets.token_urlsafe(12)
            admin = people.objects.create_superuser("admin", "", password)
            Membership.objects.create(user=admin, role=Role.ADMINISTRATOR)
        shown = "(TOKENOPS_ADMIN_PASSWORD)" if given else password
        self.stdout.write(f"{FIRST_ADMINISTRATOR}admin, password {shown}")


@contextmanager
def as_owner(owner_url: str) -> Iterator[None]:
    """Django's connection as the owner for a while, in the same database."""
    default = connections["default"]
    before, owner = default.settings_dict, dj_database_url.parse(owner_url)
    default.close()
    default.settings_dict = {**before, **{name: owner[name] for name in ("USER", "PASSWORD", "HOST", "PORT")}}
    default.settings_dict["OPTIONS"] = {**before["OPTIONS"], **owner.get("OPTIONS", {})}
    try:
        yield
    finally:
        default.close()
        default.settings_dict = before


def _is_behind() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _fingerprint() -> str:
    """Of every static file's path, size and time."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _says(stamp: Path, wanted: str) -> bool:
    return stamp.exists() and stamp.read_text() == wanted
