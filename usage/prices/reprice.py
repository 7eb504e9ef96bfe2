"""Price past usage anew: previewed per workflow, confirmed, then written as correction rows.

The ledger is append-only, so a correction holds the *difference* to what a call costs so far (its own row and earlier
corrections together) and the new price entry. It counts in the period of the call, or in the open month where that
day is closed. Each chunk reads, decides and writes in one transaction under one lock, and a call that costs what the
book says gets no correction: a run that was killed is simply run again.
"""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from budgets.access.problems import Problem, what_failed
from budgets.audit.record import Actor, record
from budgets.limits import book as budget_book
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import HOLD_CONFIGURATION, current_generation
from usage.ledger.append import append, raw_cursor
from usage.ledger.partitions import ensure_months
from usage.models import RepriceRun
from usage.prices import book as price_book
from usage.prices.correction import Chunk, change_of, chunks, correction_row, read_calls
from usage.prices.preview import decided, facts, locked, preview, request_again, request_preview, selection

__all__ = ["carry_out", "confirm", "discard", "preview", "request_again", "request_preview"]

CHUNK = 2_000  # calls read in one transaction; ingest waits for none of it
REPRICE_LOCK = 7_061_007  # advisory lock number, ours by choice: one chunk at a time, so that none is corrected twice
ENTER = f"""SELECT pg_advisory_xact_lock({REPRICE_LOCK}); {HOLD_CONFIGURATION};
SELECT generation, closed_before, time_zone, nextval('usage_ingestbatch_id_seq') FROM budgets_organisation WHERE id = 1
"""


def confirm(run_id: int, actor: Actor) -> RepriceRun:
    """Say yes; `carry_out` does the work, in a task. A failed or interrupted run may be confirmed again."""
    status = RepriceRun.Status
    with transaction.atomic():
        run = locked(run_id)
        if run.status not in (status.PREVIEW, status.RUNNING, status.FAILED):
            raise decided(run)
        if run.status == status.FAILED and run.confirmed_at is None:
            raise Problem(409, "no-preview", "No preview yet", "Its preview failed. Ask for it again first.")
        before = {"status": run.status}
        run.status, run.problem, run.confirmed_at = status.RUNNING, "", run.confirmed_at or timezone.now()
        run.save(update_fields=["status", "problem", "confirmed_at"])
        record(actor, "confirmed", run, before, facts(run))
    return run


def discard(run_id: int, actor: Actor) -> RepriceRun:
    """Say no to a preview, one that is still being counted or that failed too."""
    status = RepriceRun.Status
    with transaction.atomic():
        run = locked(run_id)
        open_still = run.status in (status.PREVIEW, status.PREVIEWING, status.FAILED)
        if not open_still or run.confirmed_at is not None:
            raise decided(run)
        before = {"status": run.status}
        run.status, run.finished_at = status.DISCARDED, timezone.now()
        run.save(update_fields=["status", "finished_at"])
        record(actor, "discarded", run, before, facts(run))
        return run


def carry_out(run_id: int, actor: Actor) -> RepriceRun:
    """Write the corrections of a confirmed run, chunk by chunk; `corrected` grows as it goes.

    Prices are those of the moment, not of the preview: a change in between is in the audit trail, and the run's own
    audit row says what it did.
    """
    run = RepriceRun.objects.get(pk=run_id)
    if run.status != RepriceRun.Status.RUNNING:
        return run
    try:
        prices = price_book.current(current_generation())
        for chunk in chunks(selection(run, prices), timezone.now(), CHUNK):
            if _correct(run, chunk):
                hint_settle()
    except Exception as error:
        problem = what_failed(error, f"Re-price run {run_id}")
        RepriceRun.objects.filter(pk=run_id).update(status=RepriceRun.Status.FAILED, problem=problem)
        raise
    with transaction.atomic():
        run = locked(run_id)
        if run.status == RepriceRun.Status.RUNNING:
            run.status, run.finished_at = RepriceRun.Status.DONE, timezone.now()
            run.save(update_fields=["status", "finished_at"])
            record(actor, "finished", run, {"status": RepriceRun.Status.RUNNING}, facts(run))
    return run


def _correct(run: RepriceRun, chunk: Chunk) -> int:
    """Correct a chunk's calls in one transaction; how many needed it."""
    now = timezone.now()
    ensure_months([now])  # corrections of closed days go to the month of now; the calls' own months are there
    with transaction.atomic():
        cursor = raw_cursor()
        cursor.execute(ENTER)
        while cursor.nextset():  # the last of the statements has the row
            pass
        generation, closed_before, zone, batch_id = cursor.fetchone()
        prices = price_book.current(generation)
        calls = read_calls(cursor, chunk)
        changes = [(call, change) for call in calls if (change := change_of(call, prices)) is not None]
        if changes:
            posted = posting(closed_before, ZoneInfo(zone), now)
            append(
                cursor,
                batch_id=batch_id,
                generation=generation,
                source_id=changes[0][0].row["source_id"],
                received_at=now,
                rows=[correction_row(call, change, posted(call.row["posted_at"])) for call, change in changes],
                budgets=budget_book.current(generation),
            )
            written = sum(change.cost.total - call.cost for call, change in changes)
            RepriceRun.objects.filter(pk=run.pk).update(
                corrected=F("corrected") + len(changes), written=F("written") + written
            )
        return len(changes)


def posting(closed_before: date | None, zone: ZoneInfo, now: datetime) -> Callable[[datetime], datetime]:
    """When a correction counts: with its call, or now where that day is closed, as late usage does."""

    def posted_at(moment: datetime) -> datetime:
        if closed_before is not None and moment.astimezone(zone).date() < closed_before:
            return now
        return moment

    return posted_at
