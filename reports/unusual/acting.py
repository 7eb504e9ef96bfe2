"""What an alert rule has done about unusual spend: stop its run, limit later ones, or pause the workflow."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.models import UNASSIGNED, AlertRule, AuditEntry, StoppedRun, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.edit import InvalidWorkflow, RefusedEdit
from budgets.workflows.pause import pause_workflow, resume_workflow
from budgets.workflows.stopping import let_run_go_on, stop_run, stops_of
from reports.models import Finding
from reports.unusual.limiting import limit_runs, unlimit_runs, usual_limits
from reports.unusual.triggers import ACTS, CAP, PAUSE, UnusualSpend, findings_of
from reports.unusual.wording import title

CHANGE_WORKFLOW = "budgets.change_workflow"
ACTOR = Actor.job("unusual spend")
TOOK_BACK = "took back what was done about"
RECENT = timedelta(days=1)
Act = Finding.Act
DONE = {
    Act.PAUSED: "paused the workflow of",
    Act.STOPPED: "stopped the run of",
    Act.CAPPED: "stopped the run, and limited later runs, of",
}


class RefusedUndo(Exception):
    """Why what was done cannot be taken back, in a sentence."""


def act_due(now: datetime | None = None) -> list[Finding]:
    """Do what the rules say about what was found; the findings that something was done about.

    A muted rule does nothing: a workflow must not stop while nobody is told. Each act is a transaction of its own.
    """
    now = now or timezone.now()
    done = []
    for rule in AlertRule.objects.filter(trigger=UnusualSpend.key, archived_at=None).order_by("pk"):
        if rule.options.get("act") not in ACTS or rule.is_muted(now):
            continue
        due = findings_of(rule).filter(ended_at=None, found_at__gte=now - RECENT).exclude(workflow=None)
        untouched = Q(acted="") if rule.options["act"] == PAUSE else Q(acted__in=["", Act.STOPPED, Act.CAPPED])
        for pk in list(due.filter(untouched).values_list("pk", flat=True)):
            if finding := act(pk, rule, now):
                done.append(finding)
    return done


def act(pk: int, rule: AlertRule, now: datetime) -> Finding | None:
    """Do what the rule says about one finding, unless another was quicker; None where nothing was done."""
    rows = Finding.objects.select_related("workflow__merged_into")
    if not _is_due(rows.get(pk=pk), rule):  # without a lock: looking again and again changes no configuration
        return None
    try:
        with changing_configuration():
            finding = rows.select_for_update(no_key=True, of=("self",)).get(pk=pk)
            if not _is_due(finding, rule):
                return None
            _do(finding, rule, now)
            return finding
    except (RefusedEdit, InvalidWorkflow):
        return None


def _is_due(finding: Finding, rule: AlertRule) -> bool:
    """Whether it goes on, nobody has judged it, and nobody wanted its workflow to go on as it is since it began."""
    if finding.ended_at is not None or not finding.is_open or finding.workflow is None:
        return False
    workflow = finding.workflow.merged_into or finding.workflow
    if workflow.paused_at is not None or finding.acted_undone or finding.acted == Act.PAUSED:
        return False
    if rule.options["act"] == PAUSE:
        return not finding.acted and not _was_let_go_on(workflow, finding.since)
    return bool(_runs_to_stop(finding, workflow)) and not _was_let_go_on(workflow, finding.since)


def _runs_to_stop(finding: Finding, workflow: Workflow) -> list[str]:
    """Those of its runs that nobody stopped, or let go on, since it began. Calls of no workflow have none to stop."""
    if workflow.slug == UNASSIGNED:
        return []
    stops = stops_of(workflow, finding.runs)
    return [run for run in finding.runs if run not in stops or stops[run].ends_at <= finding.since]


def _was_let_go_on(workflow: Workflow, since: datetime) -> bool:
    """Whether somebody resumed it, or took back what was done to it for unusual spend, after that instant: what other
    findings say of the same spend must not do it again. Letting one run go on says nothing about others."""
    names = Workflow.objects.counted_as(workflow.slug)
    undone = Finding.objects.filter(workflow__in=names, acted_undone=True).exclude(acted=Act.STOPPED)
    entries = AuditEntry.objects.filter(at__gt=since)
    resumed = Q(object_type=Workflow._meta.label_lower, object_id=str(workflow.pk), act="resumed")
    taken = [str(pk) for pk in undone.values_list("pk", flat=True)]
    taken_back = Q(object_type=Finding._meta.label_lower, object_id__in=taken, act=TOOK_BACK)
    return entries.filter(resumed | taken_back).exists()


def _do(finding: Finding, rule: AlertRule, now: datetime) -> None:
    """Raises RefusedEdit, which undoes all of it, where everything is so already: that is nobody's doing here."""
    assert finding.workflow is not None
    workflow = finding.workflow.merged_into or finding.workflow
    reason = f"{title(finding)}. Done by the alert rule “{rule.name}”."[:500]
    if rule.options["act"] == PAUSE:
        pause_workflow(ACTOR, workflow, reason)
        _note(finding, Act.PAUSED, newest_entry(Workflow, workflow.pk), reason)
        return
    stops = [stop_run(ACTOR, workflow, run, reason, finding.pk, now) for run in _runs_to_stop(finding, workflow)]
    limited = _limit(finding, workflow, reason, now) if rule.options["act"] == CAP and not finding.acted else None
    _note(finding, Act.CAPPED if limited else Act.STOPPED, limited or newest_entry(StoppedRun, stops[0].pk), reason)


def _limit(finding: Finding, workflow: Workflow, reason: str, now: datetime) -> AuditEntry | None:
    """Its row of history; None where nothing is known to limit by, or its limits are as low already."""
    limits = usual_limits(workflow.pk, finding, now) if workflow.is_claimed else None
    if limits is None:
        return None
    before = newest_entry(Workflow, workflow.pk)
    try:
        with transaction.atomic():
            limit_runs(ACTOR, workflow, limits, reason)
    except (RefusedEdit, InvalidWorkflow):  # the run stays stopped
        return None
    entry = newest_entry(Workflow, workflow.pk)
    return None if entry == before else entry


def _note(finding: Finding, done: Finding.Act, entry: AuditEntry | None, reason: str) -> None:
    """What was done first stays: that is what can be taken back."""
    if not finding.acted:
        finding.acted, finding.acted_entry = done, entry.pk if entry else None
        finding.save(update_fields=["acted", "acted_entry"])
    assert finding.workflow is not None
    record(ACTOR, DONE[done], finding, None, {"acted": done, "workflow": finding.workflow.slug}, reason)


@transaction.atomic
def undo_act(actor: Actor, finding: Finding) -> Finding:
    """Resume the workflow, or give its runs the limits that they had; a stopped run has a switch of its own. Raises
    RefusedUndo."""
    with changing_configuration():
        row = Finding.objects.select_for_update(no_key=True, of=("self",)).select_related("workflow").get(pk=finding.pk)
        entry = AuditEntry.objects.filter(pk=row.acted_entry or 0).first()
        if not row.can_be_taken_back or row.workflow is None or entry is None:
            raise RefusedUndo("There is nothing to take back.")
        workflow = row.workflow.merged_into or row.workflow
        reason = f"Undo of what was done about: {title(row)}."
        try:
            if row.acted == Act.PAUSED:
                resume_workflow(actor, workflow, reason)
            else:
                unlimit_runs(actor, workflow, entry, reason)
        except (RefusedEdit, InvalidWorkflow) as error:
            raise RefusedUndo(str(error)) from error
        _note_undone(actor, row, reason)
    return row


def let_go_on(actor: Actor, workflow: Workflow, run_id: str, reason: str = "", now: datetime | None = None) -> bool:
    """Let a stopped run go on; whether it was stopped. `workflow` is the one that its calls count as.

    What a rule did about unusual spend is taken back by that, once none of the runs that were stopped for it is.
    """
    with changing_configuration():
        now = now or timezone.now()
        ended = let_run_go_on(actor, workflow, run_id, reason, now)
        left = set(StoppedRun.objects.in_force(now).exclude(finding=None).values_list("finding", flat=True))
        wanted = {stop.finding for stop in ended if stop.finding} - left
        for row in Finding.objects.select_for_update(no_key=True, of=("self",)).filter(
            pk__in=wanted, acted=Act.STOPPED, acted_undone=False
        ):
            _note_undone(actor, row, reason or f"The run {run_id} goes on.")
    return bool(ended)


def _note_undone(actor: Actor, row: Finding, reason: str) -> None:
    row.acted_undone = True
    row.save(update_fields=["acted_undone"])
    record(actor, TOOK_BACK, row, {"undone": False}, {"undone": True}, reason)
