"""Bring the database up to this version of the code: schema, static files, the first administrator."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction
from django.db.utils import OperationalError

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
        try:
            connection.ensure_connection()
        except OperationalError as problem:
            raise CommandError(f"No connection to the database of DATABASE_URL: {problem}") from None
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::int")
            version = cursor.fetchone()[0]
        if version < OLDEST_SERVER:
            raise CommandError("TokenOps needs PostgreSQL 14 or newer.")
        call_command("migrate", interactive=False, verbosity=0)
        self.stdout.write("The database's schema is up to date.")

    def _collect_static(self) -> None:
        """Only when a file changed: compressing all of them takes seconds."""
        root = Path(settings.STATIC_ROOT)
        stamp, wanted = root / "collected", _fingerprint()
        if stamp.exists() and stamp.read_text() == wanted:
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
            people.objects.create_superuser("admin", "", password)
        shown = "(TOKENOPS_ADMIN_PASSWORD)" if given else password
        self.stdout.write(f"{FIRST_ADMINISTRATOR}admin, password {shown}")


def _fingerprint() -> str:
    """Of every static file's path, size and time."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
