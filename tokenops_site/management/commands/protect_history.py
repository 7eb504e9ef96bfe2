"""`manage.py protect_history`: leave the application nothing but reading and appending in the history."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from budgets.audit.protection import WORDS, protection
from tokenops_site import roles


class Command(BaseCommand):
    help = (
        "With DATABASE_OWNER_URL set: make the role of DATABASE_URL if it is missing, give it every table but the"
        " history, and the history to the owner. `prepare` does the same. Says which protection is in force."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        owner_url = settings.DATABASE_OWNER_URL
        if not owner_url:
            raise CommandError(
                f"{WORDS[protection()]} To change that, set DATABASE_OWNER_URL to the address of the role that owns the"
                " database, and DATABASE_URL to that of a role for the application alone."
            )
        try:
            for sentence in roles.make_ready(owner_url, settings.DATABASE_URL):
                self.stdout.write(sentence)
            changed = roles.hand_over(owner_url, settings.DATABASE_URL)
        except roles.CannotProtect as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"{changed} tables and functions changed hands. {WORDS[protection()]}")
