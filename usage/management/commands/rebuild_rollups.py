"""`manage.py rebuild_rollups`: make rollups and run summaries anew from the ledger."""

from typing import Any

from django.core.management.base import BaseCommand

from usage.rollups.rebuild import rebuild_rollups


class Command(BaseCommand):
    help = "Make rollups and run summaries anew from the ledger, while events go on arriving."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("Rebuilding; folding waits until it is done.")
        self.stdout.write(f"Rebuilt from {rebuild_rollups():,} ledger rows.")
