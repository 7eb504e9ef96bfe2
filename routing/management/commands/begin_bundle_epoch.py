"""After a backup was restored: make clients take the revisions that follow for newer than any they have seen."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import F

from budgets.audit.record import Actor, record
from routing.bundle.compile import compile_if_changed
from routing.models import BundleEpoch


class Command(BaseCommand):
    help = (
        "Run this once after restoring the database from a backup. Clients refuse a bundle that is older than one they "
        "have seen, and compare (epoch, revision); a restored database counts its revisions from an earlier one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            BundleEpoch.objects.filter(id=1).update(epoch=F("epoch") + 1)
            row = BundleEpoch.objects.get(id=1)
            record(Actor.command("begin_bundle_epoch"), "began", row, {"epoch": row.epoch - 1}, {"epoch": row.epoch})
        revision = compile_if_changed()
        self.stdout.write(f"Epoch {row.epoch} began with revision {revision}.")
