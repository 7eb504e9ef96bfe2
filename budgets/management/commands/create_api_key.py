"""`manage.py create_api_key NAME --scope ingest --scope bundle`: make a key and print it, this once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from budgets.access.change import InvalidKey, KeyValues, create_key
from budgets.audit.record import Actor
from budgets.models import ApiKey


class Command(BaseCommand):
    help = "Make an API key and print it once, alone on standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for, for people to recognise it")
        parser.add_argument(
            "--scope",
            action="append",
            dest="scopes",
            choices=ApiKey.Scope.values,
            required=True,
            help="may be repeated",
        )
        parser.add_argument("--source", help="slug of the sender that the key belongs to; default: made from NAME")
        parser.add_argument(
            "--also",
            action="append",
            default=[],
            metavar="SOURCE",
            help="another source its events may name; repeatable",
        )
        parser.add_argument(
            "--team",
            action="append",
            dest="teams",
            default=[],
            metavar="TEAM",
            help="short name of a team it is limited to; repeatable; default: everything",
        )
        parser.add_argument("--expires", type=int, metavar="DAYS", help="days from now; default: never")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["expires"]
        if days is not None and days < 1:
            raise CommandError("--expires: write a number of days of at least 1.")
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        scopes, also, teams = (tuple(options[name]) for name in ("scopes", "also", "teams"))
        values = KeyValues(options["name"], scopes, also, expires_at, teams)
        try:
            key, plain = create_key(Actor.command("create_api_key"), values, options["source"] or "")
        except InvalidKey as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(plain)
        self.stderr.write(f"Key {key.prefix}… of source {key.source.slug}; it cannot be shown again.")
