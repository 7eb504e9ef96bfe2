"""Print what an Open Policy Agent needs to know to verify archives."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from routing.bundle.signing import served_until
from routing.models import OpaSigningKey
from routing.opa.archive import SCOPE
from routing.opa.keys import ALGORITHM, public_pem


class Command(BaseCommand):
    help = (
        "Print the public keys with which OPA verifies its archives, newest first, as the `keys` section of its "
        "configuration. See docs/opa.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expected", action="store_true", help="print the data with which `data.tokenops.verified` checks instead"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rows = OpaSigningKey.objects.select_related("beside").order_by("-beside__active", "-beside__created_at")
        now = timezone.now()
        served = [row for row in rows if (until := served_until(row.beside.retired_at)) is None or until > now]
        if not served:
            raise CommandError(
                "No key is there yet: one is made with the first bundle. Start the worker, then try again."
            )
        pems = {key.kid: public_pem(key.public) for key in served}
        if options["expected"]:
            told: dict[str, Any] = {"tokenops_expected": {"audience": settings.BUNDLE_AUDIENCE, "keys": pems}}
        else:
            told = {"keys": {kid: {"algorithm": ALGORITHM, "scope": SCOPE, "key": pem} for kid, pem in pems.items()}}
        self.stdout.write(json.dumps(told, indent=2))
