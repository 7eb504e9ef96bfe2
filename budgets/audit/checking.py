"""Prove the chain by and by, a bounded number of rows in each run, and keep how far it is proven.

Each run proves what is new, and that the row proven last is still there: so rows cut off the end are noticed. What is
left of its bound goes into proving old rows anew, round after round.
"""

from datetime import datetime

from django.db import transaction

from budgets.audit.chain import Anchor, Broken, contains, follow
from budgets.audit.reading import digest_at, links
from budgets.models import HistoryCheck

IN_A_RUN = 100_000  # rows; about ten seconds of work


def check_history(now: datetime, most: int = IN_A_RUN) -> HistoryCheck:
    """Go on proving; what was found. A problem stays noted until a run finds the chain whole again."""
    with transaction.atomic():
        HistoryCheck.objects.get_or_create(id=1)
        row = HistoryCheck.objects.select_for_update(no_key=True).get(id=1)
        proven = Anchor(row.position, bytes(row.digest))
        again = Anchor(row.again_position, bytes(row.again_digest))
        row.checked_at = now
        try:
            contains(proven, digest_at(proven.position))
            end = follow(links(proven.position, most), proven)
            left = most - (end.position - proven.position)
            row.position, row.digest = end.position, end.digest
            again = follow(links(again.position, left), again) if left > 0 else again
        except Broken as error:
            row.problem = str(error)[:500]
            row.again_position, row.again_digest = 0, bytes(Anchor().digest)  # only a whole round takes it back
        else:
            if again.position >= end.position:
                row.round_at, row.problem = now, ""
                again = Anchor()
            row.again_position, row.again_digest = again.position, again.digest
        row.save()
    return row


def last_check() -> HistoryCheck:
    """What the last run found; an unsaved row where none ran yet."""
    return HistoryCheck.objects.filter(id=1).first() or HistoryCheck(id=1)
