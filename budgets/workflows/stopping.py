"""The kill switch of a single run: its calls are blocked at once, by a new bundle, for a day at most."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.models import UNASSIGNED, StoppedRun, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.edit import RefusedEdit, announce, lock

LASTS = timedelta(days=1)  # no run is worth an entry in every bundle for longer
MOST = 200  # runs stopped at a time; the one that was stopped first makes room
LONGEST = 128  # characters of a run's id, as in events


def stop_run(
    actor: Actor,
    workflow: Workflow,
    run_id: str,
    reason: str = "",
    finding: int | None = None,
    now: datetime | None = None,
) -> StoppedRun:
    """Block every further call of the run, under each name of its workflow. One that is stopped stays as it is.

    `finding` is the id of the unusual spend that it is stopped for. Raises RefusedEdit for what is no workflow's run.
    """
    if not run_id or len(run_id) > LONGEST or "\0" in run_id:
        raise RefusedEdit("Only a run that its calls name can be stopped.")
    with changing_configuration():
        now = now or timezone.now()
        row = lock(workflow)
        row = lock(row.merged_into) if row.merged_into is not None else row
        if row.slug == UNASSIGNED:
            raise RefusedEdit("Calls without a workflow are kept here; their runs cannot be stopped.")
        stop = StoppedRun.objects.filter(workflow=row, run_id=run_id).first() or StoppedRun(workflow=row, run_id=run_id)
        if stop.pk and stop.is_in_force(now):
            return stop
        stop.reason, stop.finding, stop.stopped_at, stop.ends_at = reason.strip()[:500], finding, now, now + LASTS
        stop.save()
        record(actor, "stopped", stop, {"stopped": False}, _told(stop, {"stopped": True}), stop.reason)
        for oldest in StoppedRun.objects.in_force(now).order_by("-stopped_at", "-pk")[MOST:]:
            _end(actor, oldest, now, f"{MOST} other runs were stopped since.")
        announce()
    return stop


def let_run_go_on(
    actor: Actor, workflow: Workflow, run_id: str, reason: str = "", now: datetime | None = None
) -> list[StoppedRun]:
    """Let its calls through again, as far as limits and budgets allow; what was ended by that, nothing where none was.

    `workflow` is the one that its calls count as; what was stopped before a merge goes on, too.
    """
    with changing_configuration():
        now = now or timezone.now()
        named = StoppedRun.objects.filter(workflow__in=Workflow.objects.counted_as(workflow.slug), run_id=run_id)
        ended = list(named.in_force(now).select_for_update(no_key=True, of=("self",)))
        for stop in ended:
            _end(actor, stop, now, reason)
        if ended:
            announce()
    return ended


def stops_of(workflow: Workflow, run_ids: Iterable[str]) -> dict[str, StoppedRun]:
    """Run → when it was stopped, or is; of those that ever were. `workflow` is the one that its calls count as."""
    named = StoppedRun.objects.filter(workflow__in=Workflow.objects.counted_as(workflow.slug), run_id__in=run_ids)
    return {stop.run_id: stop for stop in named.order_by("ends_at")}


def _end(actor: Actor, stop: StoppedRun, now: datetime, reason: str) -> None:
    before = _told(stop, {"stopped": True})
    stop.ends_at = max(now, stop.stopped_at)  # somebody may have stopped it while this waited for its turn
    stop.save(update_fields=["ends_at"])
    record(actor, "let go on", stop, before, {"stopped": False}, reason.strip()[:500])


def _told(stop: StoppedRun, said: dict[str, object]) -> dict[str, object]:
    return {"workflow": stop.workflow.slug, **said, "ends_at": stop.ends_at.isoformat()}
