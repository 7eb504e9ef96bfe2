"""Unusual spend of the company that all pages are walked with."""

from datetime import datetime, timedelta
from types import SimpleNamespace

from budgets.limits.calendar import quarter_hour
from budgets.models import NANO, StoppedRun, Workflow
from reports.models import Finding as Spend


def add_findings(made: SimpleNamespace, now: datetime) -> None:
    """Unusual spend of a workflow that goes on and for which a rule did something, and one without a usual."""
    workflow = Workflow.objects.get(slug="ad-copy")
    since = quarter_hour(now - timedelta(hours=3))
    points = [
        [int(since.timestamp()) + 900 * n, (2 if n < 0 else 40) * NANO, 2 * NANO, NANO, 3 * NANO] for n in range(-8, 4)
    ]
    common = {
        "dimension": "workflow", "key": str(workflow.pk), "workflow": workflow, "team": workflow.team, "grain": 900,
        "name": workflow.name, "since": since, "until": since + timedelta(hours=1), "found_at": now,
    }  # fmt: skip
    made.finding = Spend.objects.create(
        kind="usual", measures=["money", "calls"], points=points, actual=160 * NANO, expected=8 * NANO,
        amount=152 * NANO, cause="More runs: 400 instead of 20.", acted="paused", acted_entry=1, runs=["run-1"],
        **common,
    )  # fmt: skip
    StoppedRun.objects.create(
        workflow=workflow, run_id="run-7", finding=made.finding.pk, reason="One run took 200 steps.", stopped_at=since,
        ends_at=since + timedelta(hours=24),
    )  # fmt: skip
    Spend.objects.create(
        kind="loop", subject="run-7", points=[[points[-1][0], 9 * NANO, None, None, None]], actual=9 * NANO,
        cause="One run took 200 steps.", state="expected", planned="Spring launch", ended_at=now, **common,
    )  # fmt: skip
