"""What an alert rule has done about unusual spend: pause the workflow, or limit its runs. Once for each finding."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor, record
from budgets.models import NANO, AlertRule, AuditEntry, Workflow
from budgets.organisation.configuration import changing_configuration
from budgets.workflows.edit import InvalidWorkflow, RefusedEdit, change_workflow
from budgets.workflows.pause import pause_workflow, resume_workflow
from budgets.workflows.values import values_of
from reports.models import Finding
from reports.unusual.triggers import CAP, PAUSE, UnusualSpend, findings_of
from reports.unusual.wording import title

CHANGE_WORKFLOW = "budgets.change_workflow"
ACTOR = Actor.job("unusual spend")
TOOK_BACK = "took back what was done about"
RECENT = timedelta(days=1)
LEAST_RUNS = 20  # fewer say nothing about what a run needs
ROOM = 2  # times what 99 of 100 runs needed
LEAST_STEPS, LEAST_MONEY = 10, NANO // 10
OF_RUNS = {Finding.Kind.LOOP, Finding.Kind.CONTEXT}
STEPS, MONEY = "max_run_steps", "max_run_money"
USUAL_RUNS = """
SELECT count(*), percentile_disc(0.99) WITHIN GROUP (ORDER BY max_step),
    percentile_disc(0.99) WITHIN GROUP (ORDER BY cost)
FROM usage_run WHERE calls > 0 AND last_call >= %s AND last_call < %s AND run_id <> %s
    AND workflow_id IN (SELECT id FROM budgets_workflow WHERE %s IN (id, merged_into_id))
"""


class RefusedUndo(Exception):
    """Why what was done cannot be taken back, in a sentence."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may use: steps, and nano-dollars in whole cents."""

    steps: int
    money: int


def act_due(now: datetime | None = None) -> list[Finding]:
    """Do what the rules say about what was found; the findings that something was done about.

    A muted rule does nothing: a workflow must not stop while nobody is told. Each act is a transaction of its own.
    """
    now = now or timezone.now()
    done = []
    for rule in AlertRule.objects.filter(trigger=UnusualSpend.key, archived_at=None).order_by("pk"):
        if rule.options.get("act") not in {PAUSE, CAP} or rule.is_muted(now):
            continue
        due = findings_of(rule).filter(ended_at=None, acted="", found_at__gte=now - RECENT).exclude(workflow=None)
        for pk in list(due.values_list("pk", flat=True)):
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
    if finding.acted or finding.ended_at is not None or not finding.is_open or finding.workflow is None:
        return False
    if rule.options["act"] == CAP and finding.kind not in OF_RUNS:
        return False
    workflow = finding.workflow.merged_into or finding.workflow
    return workflow.paused_at is None and not _was_let_go_on(workflow, finding.since)


def _was_let_go_on(workflow: Workflow, since: datetime) -> bool:
    """Whether somebody resumed it, or took back what was done about its unusual spend, after that instant: what other
    findings say of the same spend must not do it again."""
    names = Workflow.objects.counted_as(workflow.slug)
    undone = Finding.objects.filter(workflow__in=names, acted_undone=True).values_list("pk", flat=True)
    entries = AuditEntry.objects.filter(at__gt=since)
    resumed = Q(object_type=Workflow._meta.label_lower, object_id=str(workflow.pk), act="resumed")
    taken_back = Q(object_type=Finding._meta.label_lower, object_id__in=[str(pk) for pk in undone], act=TOOK_BACK)
    return entries.filter(resumed | taken_back).exists()


def _do(finding: Finding, rule: AlertRule, now: datetime) -> None:
    """Raises RefusedEdit, which undoes all of it, where everything is so already: that is nobody's doing here."""
    assert finding.workflow is not None
    workflow = finding.workflow.merged_into or finding.workflow
    reason = f"{title(finding)}. Done by the alert rule “{rule.name}”."[:500]
    before = newest_entry(Workflow, workflow.pk)
    limits = usual_limits(workflow.pk, finding, now) if rule.options["act"] == CAP else None
    if limits is not None and workflow.is_claimed:
        _limit(workflow, limits, reason)
        finding.acted, what = Finding.Act.CAPPED, "had its runs limited"
    else:
        pause_workflow(ACTOR, workflow, reason)
        finding.acted, what = Finding.Act.PAUSED, "had its workflow paused"
    entry = newest_entry(Workflow, workflow.pk)
    if entry is None or (before is not None and entry.pk == before.pk):
        raise RefusedEdit("It has such limits already.")
    finding.acted_entry = entry.pk
    finding.save(update_fields=["acted", "acted_entry"])
    record(ACTOR, what, finding, None, {"acted": finding.acted, "workflow": workflow.slug}, reason)


def usual_limits(workflow_id: int, finding: Finding, now: datetime) -> RunLimits | None:
    """Twice what 99 of 100 of its other runs of four weeks needed; None where there were too few to say."""
    with connection.cursor() as cursor:
        cursor.execute(USUAL_RUNS, [finding.since - timedelta(days=28), now, finding.subject, workflow_id])
        count, steps, cost = cursor.fetchone()
    if count < LEAST_RUNS:
        return None
    cents = (Decimal(max(LEAST_MONEY, ROOM * cost)) / NANO).quantize(Decimal("0.01"), ROUND_UP)
    return RunLimits(max(LEAST_STEPS, ROOM * steps), int(cents * NANO))


@transaction.atomic
def undo_act(actor: Actor, finding: Finding) -> Finding:
    """Resume the workflow, or give its runs the limits that they had. Raises RefusedUndo."""
    with changing_configuration():
        row = Finding.objects.select_for_update(no_key=True, of=("self",)).select_related("workflow").get(pk=finding.pk)
        entry = AuditEntry.objects.filter(pk=row.acted_entry or 0).first()
        if not row.acted or row.acted_undone or row.workflow is None or entry is None:
            raise RefusedUndo("There is nothing to take back.")
        workflow = row.workflow.merged_into or row.workflow
        reason = f"Undo of what was done about: {title(row)}."
        try:
            if row.acted == Finding.Act.PAUSED:
                resume_workflow(actor, workflow, reason)
            else:
                _unlimit(actor, workflow, entry, reason)
        except (RefusedEdit, InvalidWorkflow) as error:
            raise RefusedUndo(str(error)) from error
        row.acted_undone = True
        row.save(update_fields=["acted_undone"])
        record(actor, TOOK_BACK, row, {"undone": False}, {"undone": True}, reason)
    return row


def _limit(workflow: Workflow, limits: RunLimits, reason: str) -> None:
    """Only ever lower than what its limits are already."""
    values = values_of(workflow)
    rails: dict[str, Any] = dict(values.guardrails)
    rails[STEPS] = min(limits.steps, int(rails.get(STEPS, limits.steps)))
    money = Decimal(limits.money) / NANO
    rails[MONEY] = f"{min(money, Decimal(str(rails.get(MONEY, money)))):f}"
    change_workflow(ACTOR, workflow, replace(values, guardrails=rails), reason)


def _unlimit(actor: Actor, workflow: Workflow, entry: AuditEntry, reason: str) -> None:
    """Put back the two limits where they are still as they were set; what somebody changed since stays."""
    was, then = _rails(entry.before), _rails(entry.after)
    values = values_of(workflow)
    rails: dict[str, Any] = dict(values.guardrails)
    for name in (STEPS, MONEY):
        if rails.get(name) == then.get(name):
            if name in was:
                rails[name] = was[name]
            else:
                rails.pop(name, None)
    change_workflow(actor, workflow, replace(values, guardrails=rails), reason)


def _rails(side: Any) -> Mapping[str, Any]:
    found = side.get("guardrails", {}) if isinstance(side, dict) else {}
    return found if isinstance(found, dict) else {}
