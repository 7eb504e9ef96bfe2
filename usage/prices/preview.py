"""What a re-price run would change, counted in the background and kept with the run before anybody decides.

Counting writes nothing but how far it is. A worker that dies leaves the run as it was asked for; the next one counts
from the beginning, so that a preview is always of the whole, and a second worker finds nothing left to do.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from budgets.access.problems import Problem, what_failed
from budgets.audit.record import Actor, record
from budgets.organisation.configuration import current_generation
from usage.models import QuarterHour, RepriceRun
from usage.prices import book as price_book
from usage.prices.book import PriceBook
from usage.prices.correction import Call, Change, Selection, change_of, chunks, count_calls, read_calls

CHUNK = 2_000  # calls read at a time, between two looks at whether somebody discarded the run
LONGEST = timedelta(days=800)


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

    def rows(self) -> list[dict[str, Any]]:
        """As a run keeps them, the largest difference first."""
        ranked = sorted(self.workflows.items(), key=lambda one: (-abs(one[1].after - one[1].before), one[0]))
        return [{"workflow": slug, **asdict(tally)} for slug, tally in ranked]


def request_preview(
    actor: Actor, starts_at: datetime, ends_at: datetime, model: str = "", *, only_unpriced: bool = True
) -> RepriceRun:
    """Ask what a run over calls in [starts_at, ends_at) would change; `make_preview` counts it, in a task."""
    with transaction.atomic():
        run = _asked(actor, starts_at, ends_at, model, only_unpriced=only_unpriced)
        record(actor, "requested", run, None, facts(run))
    return run


def preview(
    actor: Actor, starts_at: datetime, ends_at: datetime, model: str = "", *, only_unpriced: bool = True
) -> RepriceRun:
    """The same, counted before it returns: for a command, where somebody waits."""
    run = _asked(actor, starts_at, ends_at, model, only_unpriced=only_unpriced)
    return make_preview(run.pk, actor)


def request_again(run_id: int, actor: Actor) -> RepriceRun:
    """Have a preview that failed, or one that is no longer new, counted anew."""
    status = RepriceRun.Status
    with transaction.atomic():
        run = locked(run_id)
        if run.status == status.PREVIEWING:
            return run
        if run.status not in (status.PREVIEW, status.FAILED) or run.confirmed_at is not None:
            raise decided(run)
        before = {"status": run.status}
        run.status, run.seen, run.problem = status.PREVIEWING, 0, ""
        run.save(update_fields=["status", "seen", "problem"])
        record(actor, "requested", run, before, facts(run))
    return run


def make_preview(run_id: int, actor: Actor) -> RepriceRun:
    """Count what the run would change, and keep it. A run that is not asked for any more stays as it is."""
    run = RepriceRun.objects.get(pk=run_id)
    if run.status != RepriceRun.Status.PREVIEWING:
        return run
    try:
        found = _count(run)
    except Exception as error:
        waiting = RepriceRun.objects.filter(pk=run_id, status=RepriceRun.Status.PREVIEWING)
        waiting.update(status=RepriceRun.Status.FAILED, problem=what_failed(error, f"Re-price run {run_id}"))
        raise
    with transaction.atomic():
        run = locked(run_id)
        if found is None or run.status != RepriceRun.Status.PREVIEWING:
            return run
        run.status, run.preview, run.seen = RepriceRun.Status.PREVIEW, found.rows(), run.expected
        run.calls = sum(row["calls"] for row in run.preview)
        run.before = sum(row["before"] for row in run.preview)
        run.after = sum(row["after"] for row in run.preview)
        run.still_unpriced = found.still_unpriced
        run.save()
        record(actor, "previewed", run, None, facts(run))
    return run


def _count(run: RepriceRun) -> Preview | None:
    """All chunks; None when the run was discarded meanwhile."""
    prices = price_book.current(current_generation())
    asked, now = selection(run, prices), timezone.now()
    mine = RepriceRun.objects.filter(pk=run.pk, status=RepriceRun.Status.PREVIEWING)
    mine.update(expected=count_calls(asked, now), seen=0)
    found, seen = Preview(), 0
    for chunk in chunks(asked, now, CHUNK):
        with connection.cursor() as cursor:
            calls = read_calls(cursor, chunk)
        for call in calls:
            found.add(call, change_of(call, prices))
        seen += chunk.calls
        if not mine.update(seen=seen):
            return None
    return found


def _asked(actor: Actor, starts_at: datetime, ends_at: datetime, model: str, *, only_unpriced: bool) -> RepriceRun:
    wrong = ""
    if starts_at >= ends_at:
        wrong = "The end must come after the start."
    elif ends_at - starts_at > LONGEST:
        wrong = f"A run covers at most {LONGEST.days} days."
    if wrong:
        raise Problem(422, "invalid", "Some values are not valid", errors={"ends_at": wrong})
    return RepriceRun.objects.create(
        status=RepriceRun.Status.PREVIEWING,
        starts_at=starts_at,
        ends_at=ends_at,
        model=model.strip(),
        only_unpriced=only_unpriced,
        requested_by=actor.text[:150],
    )


def selection(run: RepriceRun, prices: PriceBook) -> Selection:
    """A run over one model means every name under which it was sent: `gpt-4o` is also `gpt-4o-2024-08-06`."""
    models = None
    if run.model:
        sent = QuarterHour.objects.order_by().values_list("provider", "model").distinct()
        models = names_of(run.model, sent, prices)
    return Selection(run.starts_at, run.ends_at, run.only_unpriced, models)


def names_of(model: str, sent: Iterable[tuple[str, str]], prices: PriceBook) -> tuple[str, ...]:
    """Of (provider, model) as sent, the names that mean `model`, and itself."""
    canonical: Callable[[str, str], tuple[str, str]] = prices.canonical
    return tuple(sorted({model, *(name for of, name in sent if canonical(of, name)[1] == model)}))


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
        "written": run.written,
    }


def locked(run_id: int) -> RepriceRun:
    """The run, which nobody else decides on meanwhile; Problem `not-found`."""
    run = RepriceRun.objects.select_for_update().filter(pk=run_id).first()
    if run is None:
        raise Problem(404, "not-found", "Not found", "There is no such re-price run.")
    return run


def decided(run: RepriceRun) -> Problem:
    """What to say when it is too late to decide, or too early."""
    words = run.get_status_display().lower()
    return Problem(409, "already-decided", "Already decided", f"This run is {words}.")
