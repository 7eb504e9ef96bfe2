"""Price past usage anew: previewed per workflow, confirmed, then written as correction rows.

The ledger is append-only, so a correction holds the *difference* to what a call costs so far (its own row and earlier
corrections together) and the new price entry. It counts in the period of the call, or in the open month where that
day is closed. Each chunk reads, decides and writes in one transaction under one lock, and a call that costs what the
book says gets no correction: a run that was killed is simply run again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from budgets.access.problems import Problem
from budgets.audit.record import Actor, record
from budgets.limits import book as budget_book
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import HOLD_CONFIGURATION, current_generation
from usage.ledger.append import append, raw_cursor
from usage.ledger.partitions import ensure_months
from usage.models import QuarterHour, RepriceRun
from usage.prices import book as price_book
from usage.prices.book import PriceBook
from usage.prices.correction import Call, Change, Chunk, Selection, change_of, chunks, correction_row, read_calls

CHUNK = 2_000  # calls read in one transaction; ingest waits for none of it
REPRICE_LOCK = 7_061_007  # advisory lock number, ours by choice: one chunk at a time, so that none is corrected twice
ENTER = f"""SELECT pg_advisory_xact_lock({REPRICE_LOCK}); {HOLD_CONFIGURATION};
SELECT generation, closed_before, time_zone, nextval('usage_ingestbatch_id_seq') FROM budgets_organisation WHERE id = 1
"""


@dataclass(slots=True)
class Tally:
    """One workflow's calls that would change, in nano-dollars."""

    calls: int = 0
    unpriced: int = 0  # of them without a price so far
    before: int = 0
    after: int = 0


@dataclass(slots=True)
class Preview:
    """All workflows; `still_unpriced` counts calls that the book cannot price today either."""

    workflows: dict[str, Tally] = field(default_factory=dict)
    still_unpriced: int = 0

    def add(self, call: Call, change: Change | None) -> None:
        if change is None:
            self.still_unpriced += call.unpriced
            return
        tally = self.workflows.setdefault(call.workflow, Tally())
        tally.calls += 1
        tally.unpriced += call.unpriced
        tally.before += call.cost
        tally.after += change.cost.total


def preview(
    actor: Actor, starts_at: datetime, ends_at: datetime, model: str = "", *, only_unpriced: bool = True
) -> RepriceRun:
    """Compute and store what a run over calls in [starts_at, ends_at) would change. Nothing else is written."""
    if starts_at >= ends_at:
        raise Problem(
            422, "invalid", "Some values are not valid", errors={"ends_at": "The end must come after the start."}
        )
    run = RepriceRun(starts_at=starts_at, ends_at=ends_at, model=model.strip(), only_unpriced=only_unpriced)
    prices = price_book.current(current_generation())
    found = Preview()
    for chunk in chunks(_selection(run, prices), timezone.now(), CHUNK):
        with connection.cursor() as cursor:
            calls = read_calls(cursor, chunk)
        for call in calls:
            found.add(call, change_of(call, prices))
    rows: list[dict[str, Any]] = [
        {
            "workflow": slug,
            "calls": tally.calls,
            "unpriced": tally.unpriced,
            "before": tally.before,
            "after": tally.after,
        }
        for slug, tally in sorted(found.workflows.items(), key=lambda one: (-abs(one[1].after - one[1].before), one[0]))
    ]
    run.preview = rows
    run.calls = sum(row["calls"] for row in rows)
    run.before = sum(row["before"] for row in rows)
    run.after = sum(row["after"] for row in rows)
    run.still_unpriced = found.still_unpriced
    run.requested_by = actor.text[:150]
    with transaction.atomic():
        run.save()
        record(actor, "previewed", run, None, facts(run))
    return run


def confirm(run_id: int, actor: Actor) -> RepriceRun:
    """Say yes; `carry_out` does the work, in a task. A failed or interrupted run may be confirmed again."""
    status = RepriceRun.Status
    with transaction.atomic():
        run = _locked(run_id)
        if run.status not in (status.PREVIEW, status.RUNNING, status.FAILED):
            raise Problem(409, "already-decided", "Already decided", f"This run is {run.get_status_display().lower()}.")
        before = {"status": run.status}
        run.status, run.problem = status.RUNNING, ""
        run.save(update_fields=["status", "problem"])
        record(actor, "confirmed", run, before, facts(run))
    return run


def discard(run_id: int, actor: Actor) -> RepriceRun:
    """Say no to a preview."""
    with transaction.atomic():
        run = _locked(run_id)
        if run.status != RepriceRun.Status.PREVIEW:
            raise Problem(409, "already-decided", "Already decided", f"This run is {run.get_status_display().lower()}.")
        run.status, run.finished_at = RepriceRun.Status.DISCARDED, timezone.now()
        run.save(update_fields=["status", "finished_at"])
        record(actor, "discarded", run, {"status": RepriceRun.Status.PREVIEW}, facts(run))
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
        for chunk in chunks(_selection(run, prices), timezone.now(), CHUNK):
            if _correct(run, chunk):
                hint_settle()
    except Exception as error:
        RepriceRun.objects.filter(pk=run_id).update(status=RepriceRun.Status.FAILED, problem=f"{error}"[:2000])
        raise
    with transaction.atomic():
        run = _locked(run_id)
        if run.status == RepriceRun.Status.RUNNING:
            run.status, run.finished_at = RepriceRun.Status.DONE, timezone.now()
            run.save(update_fields=["status", "finished_at"])
            record(actor, "finished", run, {"status": RepriceRun.Status.RUNNING}, facts(run))
    return run


def facts(run: RepriceRun) -> dict[str, Any]:
    """A run as the audit trail has it; money in nano-dollars."""
    return {
        "status": run.status,
        "starts_at": run.starts_at.isoformat(),
        "ends_at": run.ends_at.isoformat(),
        "model": run.model,
        "only_unpriced": run.only_unpriced,
        "calls": run.calls,
        "before": run.before,
        "after": run.after,
        "corrected": run.corrected,
    }


def _locked(run_id: int) -> RepriceRun:
    run = RepriceRun.objects.select_for_update().filter(pk=run_id).first()
    if run is None:
        raise Problem(404, "not-found", "Not found", "There is no such re-price run.")
    return run


def _selection(run: RepriceRun, prices: PriceBook) -> Selection:
    """A run over one model means every name under which it was sent: `gpt-4o` is also `gpt-4o-2024-08-06`."""
    models = None
    if run.model:
        sent = QuarterHour.objects.order_by().values_list("provider", "model").distinct()
        models = tuple({run.model, *(name for of, name in sent if prices.canonical(of, name)[1] == run.model)})
    return Selection(run.starts_at, run.ends_at, run.only_unpriced, models)


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
            posted = _posting(closed_before, ZoneInfo(zone), now)
            append(
                cursor,
                batch_id=batch_id,
                generation=generation,
                source_id=changes[0][0].row["source_id"],
                received_at=now,
                rows=[correction_row(call, change, posted(call.row["posted_at"])) for call, change in changes],
                budgets=budget_book.current(generation),
            )
            RepriceRun.objects.filter(pk=run.pk).update(corrected=F("corrected") + len(changes))
        return len(changes)


def _posting(closed_before: date | None, zone: ZoneInfo, now: datetime) -> Callable[[datetime], datetime]:
    """When a correction counts: with its call, or now where that day is closed, as late usage does."""

    def posted_at(moment: datetime) -> datetime:
        if closed_before is not None and moment.astimezone(zone).date() < closed_before:
            return now
        return moment

    return posted_at
