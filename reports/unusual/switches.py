"""The switch of a run, for pages: whether it is stopped, in words, and where it is stopped and let go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from budgets.access.roles import may
from budgets.models import UNASSIGNED, Organisation, StoppedRun, Workflow
from budgets.pages.moments import clock, day
from budgets.workflows.stopping import stops_of
from reports.spend.addresses import run_address
from reports.unusual.acting import CHANGE_WORKFLOW
from usage.models import Run

RECENT = timedelta(days=1)  # after its last call; what makes no calls any more needs no stopping


@dataclass(frozen=True, slots=True)
class RunSwitch:
    """One run. `said` is when it was stopped and until when, "" if it never was; `reason` why, "" where the page says
    so; `address` does the opposite of what is."""

    run_id: str
    page: str
    said: str
    reason: str
    is_stopped: bool
    address: str


def switches_of(
    workflow: Workflow, run_ids: Sequence[str], organisation: Organisation, now: datetime, finding: int | None = None
) -> list[RunSwitch]:
    """Of these runs of a workflow, which is none that was merged. One statement, none without runs.

    `finding`: the unusual spend on whose page they stand, which is gone back to.
    """
    if workflow.slug == UNASSIGNED or not run_ids:
        return []
    stops = stops_of(workflow, run_ids)
    found = []
    for run_id in run_ids:
        stop = stops.get(run_id)
        is_stopped = stop is not None and stop.is_in_force(now)
        found.append(
            RunSwitch(
                run_id=run_id,
                page=run_address(workflow.slug, run_id),
                said=told(stop, organisation, now) if stop else "",
                reason=stop.reason if stop and (finding is None or stop.finding != finding) else "",
                is_stopped=is_stopped,
                address=address("run-go-on" if is_stopped else "run-stop", workflow, run_id, finding),
            )
        )
    return found


def switch_of(
    user: Any, workflow: Workflow, run_id: str, summaries: Sequence[Run], organisation: Organisation
) -> dict[str, Any]:
    """What the page of a run says of its switch; nothing to stop where its last call was more than a day ago."""
    now = timezone.now()
    switch = next(iter(switches_of(workflow, [run_id], organisation, now)), None)
    is_recent = max(one.last_call for one in summaries) > now - RECENT
    return {
        "switch": switch,
        "can_stop": switch is not None and is_recent,
        "may_switch": switch is not None and may(user, CHANGE_WORKFLOW, workflow),
    }


def address(name: str, workflow: Workflow, run_id: str, finding: int | None = None) -> str:
    """Where that is done to a run; what its calls name it may hold anything, so it stands in the query."""
    query = {"id": run_id} | ({"finding": str(finding)} if finding else {})
    return f"{reverse(name, args=[workflow.slug])}?{urlencode(query)}"


def told(stop: StoppedRun, organisation: Organisation, now: datetime) -> str:
    """ "Stopped run r-17 at 14:02. It makes no calls until 24 Nov, 14:02."; once that is over, "Run r-17 was stopped at
    14:02, and may make calls again since 14:10." """
    today = organisation.local(now).date()

    def said(moment: datetime) -> str:
        local = organisation.local(moment)
        return clock(local) if local.date() == today else f"{day(local.date())}, {clock(local)}"

    def at(moment: datetime) -> str:
        return f"{'at' if organisation.local(moment).date() == today else 'on'} {said(moment)}"

    if stop.is_in_force(now):
        return f"Stopped run {stop.run_id} {at(stop.stopped_at)}. It makes no calls until {said(stop.ends_at)}."
    return f"Run {stop.run_id} was stopped {at(stop.stopped_at)}, and may make calls again since {said(stop.ends_at)}."
