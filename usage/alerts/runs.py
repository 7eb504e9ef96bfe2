"""One run above an amount or a number of steps."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import Declared, Field, InvalidOptions, Kind, cleaned, dollars_of, page
from budgets.models import Alert, AlertRule, Workflow
from budgets.pages.amounts import whole
from usage.alerts.scopes import workflow_ids_of
from usage.models import Run

LATE = timedelta(days=1)  # calls that arrive so late are still told
QUIET = timedelta(hours=1)  # a run without calls for so long has ended
MOST = 2_000


class OneRun(Declared):
    """Options: `amount` (dollars), `steps`, one of them at least; the slug of one `workflow` or ""."""

    key = "one_run"
    words = "One run costs too much or takes too many steps"
    every = timedelta(seconds=30)
    fields = (
        Field("workflow", "Of which workflow", Kind.WORKFLOW, "", required=False, help="Leave it empty for all."),
        Field("amount", "One run costs more than", Kind.MONEY, None, required=False, unit="$"),
        Field("steps", "Or takes more steps than", Kind.WHOLE, None, required=False, most=100_000),
    )

    def clean(self, options: Mapping[str, Any]) -> dict[str, Any]:
        found = cleaned(self.fields, options)
        if found["amount"] is None and found["steps"] is None:
            raise InvalidOptions({"amount": "Enter an amount, or a number of steps, or both."})
        return found

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        said = []
        if options["amount"] is not None:
            said.append(f"costs more than {whole(dollars_of(options, 'amount') or 0)}")
        if options["steps"] is not None:
            said.append(f"takes more than {options['steps']:,} steps")
        of = f" of {options['workflow']}" if options["workflow"] else f" of {team}" if team else ""
        return f"Tell me when one run{of} {' or '.join(said)}."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        earliest = max(rule.since, (rule.looked_at or now) - LATE)
        return self._found(rule, Run.objects.filter(last_call__gte=earliest))

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """By each run's last call, as runs are summed today; at most the 2,000 dearest."""
        return self._found(rule, Run.objects.filter(last_call__gte=since, last_call__lt=until))

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """It made no call for an hour, or its calls were withdrawn or cost less by a correction."""
        by_run = {alert.facts.get("subject", {}).get("run"): alert for alert in alerts}
        found = []
        for run in Run.objects.filter(pk__in=[pk for pk in by_run if pk]):
            alert = by_run.pop(run.pk)
            subject = alert.facts["subject"]
            if not _exceeds(run, subject["amount"], subject["steps"]):
                found.append(Over(alert.cause, f"{whole(run.cost)} after a correction: no longer above."))
            elif now - run.last_call >= QUIET:
                steps = f", {run.max_step:,} steps" if run.max_step else ""
                found.append(Over(alert.cause, f"{whole(run.cost)}{steps} in all: the run made no call for an hour."))
        return found + [Over(alert.cause, "The run is gone.") for pk, alert in by_run.items() if pk]

    def _found(self, rule: AlertRule, runs: QuerySet[Run]) -> list[Finding]:
        amount, steps = dollars_of(rule.options, "amount"), rule.options["steps"]
        wanted = Q()
        if amount is not None:
            wanted |= Q(cost__gt=amount)
        if steps is not None:
            wanted |= Q(max_step__gt=steps)
        runs = runs.filter(wanted, calls__gt=0)
        if (ids := workflow_ids_of(rule)) is not None:
            runs = runs.filter(workflow_id__in=ids)
        if slug := rule.options["workflow"]:
            runs = runs.filter(workflow_id__in=list(Workflow.objects.counted_as(slug).values_list("pk", flat=True)))
        rows = list(runs.order_by("-cost", "-max_step", "pk")[:MOST])
        named = Workflow.objects.filter(pk__in={row.workflow_id for row in rows}).select_related("merged_into")
        workflows = {row.pk: row.merged_into or row for row in named}
        return [_finding(row, workflows.get(row.workflow_id), amount, steps) for row in rows]


def _exceeds(run: Run, amount: int | None, steps: int | None) -> bool:
    return run.calls > 0 and (
        (amount is not None and run.cost > amount) or (steps is not None and run.max_step > steps)
    )


def _finding(run: Run, workflow: Workflow | None, amount: int | None, steps: int | None) -> Finding:
    name = workflow.name if workflow else "a workflow that is gone"
    too_dear = amount is not None and run.cost > amount
    above = f"more than {whole(amount or 0)}" if too_dear else f"{run.max_step:,} steps, more than {steps or 0:,}"
    return Finding(
        cause=cause_of("run", run.workflow_id, run.run_id, "" if amount is None else amount, steps or ""),
        title=f"{whole(run.cost)} for one run of {name}: {above}.",
        happened_at=run.last_call,
        path=page("workflow", workflow.slug) if workflow else "",
        amount=run.cost,
        team_id=workflow.team_id if workflow else None,
        facts={
            "Workflow": name,
            "Run": run.run_id,
            "Cost": whole(run.cost),
            "Calls": f"{run.calls:,}",
            "Steps": f"{run.max_step:,}",
        },
        subject={"run": run.pk, "amount": amount, "steps": steps},
    )
