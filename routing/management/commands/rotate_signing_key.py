"""Change the key that signs policy bundles."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from budgets.audit.record import Actor, record
from budgets.notices.listener import notify
from routing.bundle.compile import compile_if_changed
from routing.bundle.memory import BUNDLE_CHANNEL
from routing.bundle.signing import lock_keys, prepare, rotate


class Command(BaseCommand):
    help = (
        "Sign policy bundles with a new key. The old one is served in the JWKS for BUNDLE_KEY_OVERLAP_DAYS more. "
        "With --prepare the new key is only published, so that clients know it before it signs; the next rotation "
        "takes it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prepare", action="store_true", help="publish the next key, sign on with the present one")
        parser.add_argument("--reason", default="", help="written into the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.command("rotate_signing_key")
        if options["prepare"]:
            with transaction.atomic():
                lock_keys()
                key = prepare()
                record(actor, "prepared", key, None, {"kid": key.kid}, options["reason"])
                notify(BUNDLE_CHANNEL)
            self.stdout.write(f"Published {key.kid}. Run this again without --prepare to sign with it.")
            return
        key = rotate(actor, options["reason"])
        revision = compile_if_changed(anew=True)
        self.stdout.write(f"Signing with {key.kid} from revision {revision} on.")
