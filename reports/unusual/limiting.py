"""Limits for what a workflow's runs may use, by what its runs usually need: what a rule sets after it stopped a run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from django.db import connection

from budgets.audit.record import Actor
from budgets.models import NANO, AuditEntry, Workflow
from budgets.workflows.edit import change_workflow
from budgets.workflows.values import values_of
from reports.models import Finding

LEAST_RUNS = 20  # fewer say nothing about what a run needs
ROOM = 2  # times what 99 of 100 runs needed
LEAST_STEPS, LEAST_MONEY = 10, NANO // 10
STEPS, MONEY = "max_run_steps", "max_run_money"
USUAL_RUNS = """
SELECT count(*), percentile_disc(0.99) WITHIN GROUP (ORDER BY max_step),
    percentile_disc(0.99) WITHIN GROUP (ORDER BY cost)
FROM usage_run WHERE calls > 0 AND last_call >= %s AND last_call < %s AND run_id <> ALL(%s)
    AND workflow_id IN (SELECT id FROM budgets_workflow WHERE %s IN (id, merged_into_id))
"""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may use: steps, and nano-dollars in whole cents."""

    steps: int
    money: int


def usual_limits(workflow_id: int, finding: Finding, now: datetime) -> RunLimits | None:
    """Twice what 99 of 100 of its other runs of four weeks needed; None where there were too few to say."""
    with connection.cursor() as cursor:
        cursor.execute(USUAL_RUNS, [finding.since - timedelta(days=28), now, list(finding.runs), workflow_id])
        count, steps, cost = cursor.fetchone()
    if count < LEAST_RUNS:
        return None
    cents = (Decimal(max(LEAST_MONEY, ROOM * cost)) / NANO).quantize(Decimal("0.01"), ROUND_UP)
    return RunLimits(max(LEAST_STEPS, ROOM * steps), int(cents * NANO))


def limit_runs(actor: Actor, workflow: Workflow, limits: RunLimits, reason: str) -> None:
    """Only ever lower than what its limits are already. Raises what `change_workflow` does."""
    values = values_of(workflow)
    rails: dict[str, Any] = dict(values.guardrails)
    rails[STEPS] = min(limits.steps, int(rails.get(STEPS, limits.steps)))
    money = Decimal(limits.money) / NANO
    rails[MONEY] = f"{min(money, Decimal(str(rails.get(MONEY, money)))):f}"
    change_workflow(actor, workflow, replace(values, guardrails=rails), reason)


def unlimit_runs(actor: Actor, workflow: Workflow, entry: AuditEntry, reason: str) -> None:
    """Put back the two limits where they are still as they were set by `entry`; what somebody changed since stays."""
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
