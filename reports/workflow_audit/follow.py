"""Start an audit, follow it day by day, stop it; after thirty days it ends by itself."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from budgets.audit.record import Actor, record
from budgets.limits.calendar import DAY, day_of
from budgets.models import Organisation, Workflow
from reports.models import WorkflowAudit
from reports.savings.stored import newest_result
from reports.workflow_audit.figures import days_of, figures_of, first_of
from reports.workflow_audit.propose import propose
from reports.workflow_audit.values import Baseline, read_days, written

State = WorkflowAudit.State
DAYS = 30
OFTEN = timedelta(hours=1)  # late outcomes change days that are over


class RefusedAudit(Exception):
    """What cannot be done; the message says why, for a reader."""


def start(actor: Actor, workflow: Workflow, goal: str = "", now: datetime | None = None) -> WorkflowAudit:
    """Freeze the thirty complete days before today as the baseline, and begin today. Raises RefusedAudit.

    Of a workflow whose first call was later, the baseline begins with the day of that.
    """
    if not workflow.is_claimed:
        raise RefusedAudit("Only a workflow that somebody answers for can be audited. Claim it first.")
    now, organisation = now or timezone.now(), Organisation.get()
    today = day_of(now, organisation.zone)
    first, last = first_of(workflow, today - DAYS * DAY, today - DAY), today - DAY
    baseline = Baseline(first, last, figures_of(workflow, first, last, organisation.zone))
    audit = WorkflowAudit(
        workflow=workflow,
        first_day=today,
        last_day=today + (DAYS - 1) * DAY,
        zone=organisation.time_zone,
        goal=" ".join(goal.replace("\0", "").split())[:500],
        baseline=written(baseline),
        proposals=written(propose(workflow, baseline, organisation.zone, newest_result())),
        started_by=actor.user,
        started_text=actor.text[:150],
        started_at=now,
        followed_at=now,
    )
    try:
        with transaction.atomic():
            audit.save(force_insert=True)
            after = {"first_day": str(audit.first_day), "last_day": str(audit.last_day), "goal": audit.goal}
            record(actor, "started", audit, None, after)
    except IntegrityError:
        raise RefusedAudit("This workflow is being audited already.") from None
    return audit


def stop(actor: Actor, audit: WorkflowAudit, now: datetime | None = None) -> WorkflowAudit:
    """End it before its time, with the days that are complete. Raises RefusedAudit where it has ended."""
    with transaction.atomic():
        row = WorkflowAudit.objects.select_for_update(of=("self",)).select_related("workflow").get(pk=audit.pk)
        if row.state != State.RUNNING:
            raise RefusedAudit("This audit has ended already.")
        _bring_up_to_date(row, now or timezone.now())
        return _end(actor, row, State.STOPPED, "stopped", now or timezone.now())


def follow_all(now: datetime | None = None) -> int:
    """Work out the days of each running audit, and end those whose time is over; how many were looked at.

    One transaction each: a killed worker's successor does it again, and two never do the same one.
    """
    now = now or timezone.now()
    due = Q(followed_at=None) | Q(followed_at__lte=now - OFTEN)
    looked = 0
    for pk in WorkflowAudit.objects.filter(due, state=State.RUNNING).order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            rows = WorkflowAudit.objects.select_for_update(of=("self",), skip_locked=True).select_related("workflow")
            row = rows.filter(due, pk=pk, state=State.RUNNING).first()
            if row is None:
                continue
            looked += 1
            _bring_up_to_date(row, now)
            if day_of(now, ZoneInfo(row.zone)) > row.last_day:
                _end(Actor.job("workflow audit"), row, State.DONE, "finished", now)
            else:
                row.save(update_fields=["days", "followed_at"])
    return looked


def _bring_up_to_date(row: WorkflowAudit, now: datetime) -> None:
    zone = ZoneInfo(row.zone)
    last = min(row.last_day, day_of(now, zone) - DAY)
    if row.workflow.merged_into_id is None:  # else its usage stands elsewhere, and its days stay as they are
        row.days = written(days_of(row.workflow, row.first_day, last, zone)) if last >= row.first_day else []
    row.followed_at = now


def _end(actor: Actor, row: WorkflowAudit, state: str, act: str, now: datetime) -> WorkflowAudit:
    before = {"state": row.state}
    row.state, row.ended_at = state, now
    row.save(update_fields=["days", "followed_at", "state", "ended_at"])
    record(actor, act, row, before, {"state": state, "days": len(read_days(row.days))})
    return row
