"""`manage.py check_ledger`: prove ledger = rollups = run summaries = budget states."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.ingest.backlog import measure
from usage.ledger.check import check_ledger


class Command(BaseCommand):
    help = "Compare every derived figure with the ledger; exit 1 with the places where they differ."

    def handle(self, *args: Any, **options: Any) -> None:
        found = check_ledger()
        for difference in found:
            self.stderr.write(f"{difference.table}: {difference.where}: {difference.problem}")
        if found:
            raise CommandError(f"{len(found)} differences (at most five of a kind are shown). Try rebuild_rollups.")
        waiting = measure()
        self.stdout.write(
            "Ledger, rollups, runs, claims and budgets agree. "
            f"{waiting.events:,} event{'' if waiting.events == 1 else 's'} not in the rollups yet."
        )
