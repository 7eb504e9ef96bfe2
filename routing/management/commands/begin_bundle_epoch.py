"""After a backup was restored: make clients take the revisions that follow for newer than any they have seen."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest

from budgets.audit.record import Actor, record
from routing.bundle.compile import compile_if_changed
from routing.models import BundleEpoch


class Command(BaseCommand):
    help = (
        "`manage.py restore` does this. Run it once after bringing the database back from a backup in another way:"
        " clients refuse a bundle that is older than one they have seen, and compare (epoch, revision); a restored"
        " database counts its revisions from an earlier one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--at-least", type=int, default=0, metavar="EPOCH", help="begin this one, or a later one")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            before = BundleEpoch.objects.select_for_update().get(id=1).epoch
            BundleEpoch.objects.filter(id=1).update(epoch=Greatest(F("epoch") + 1, Value(options["at_least"])))
            row = BundleEpoch.objects.get(id=1)
            record(Actor.command("begin_bundle_epoch"), "began", row, {"epoch": before}, {"epoch": row.epoch})
        revision = compile_if_changed()
        self.stdout.write(f"Epoch {row.epoch} began with revision {revision}.")
