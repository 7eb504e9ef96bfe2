"""A workflow appeared that nobody answers for."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import Declared, page
from budgets.models import Alert, AlertRule, AuditEntry, Workflow


class DiscoveredWorkflow(Declared):
    """No options. It belongs to no team yet, so a rule with a team is never told."""

    key = "discovered_workflow"
    words = "A new workflow appears"
    every = timedelta(seconds=30)
    fields = ()

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        return "Tell me when a workflow appears that nobody has claimed."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        rows = Workflow.objects.filter(status=Workflow.Status.DISCOVERED, created_at__gte=rule.since)
        return [_finding(row) for row in rows.filter(created_at__lte=now).order_by("pk") if rule.team_id is None]

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """Those that came with usage: nobody made them. Some may have been claimed since."""
        rows = Workflow.objects.filter(created_at__gte=since, created_at__lt=until)
        rows = rows.exclude(status=Workflow.Status.RESERVED).order_by("pk")
        made = set(
            AuditEntry.objects.filter(
                object_type=Workflow._meta.label_lower, act="created", object_id__in=[str(row.pk) for row in rows]
            ).values_list("object_id", flat=True)
        )
        return [_finding(row) for row in rows if str(row.pk) not in made and rule.team_id is None]

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """It was claimed, ignored or merged."""
        by_pk = {alert.facts.get("subject", {}).get("workflow"): alert for alert in alerts}
        rows = Workflow.objects.filter(pk__in=[pk for pk in by_pk if pk]).exclude(status=Workflow.Status.DISCOVERED)
        return [Over(by_pk[row.pk].cause, f"{row.name}: {_turn(row)}.") for row in rows.select_related("merged_into")]


def _turn(row: Workflow) -> str:
    if row.merged_into is not None:
        return f"it counts under {row.merged_into.name} now"
    return "it is ignored now" if row.status == Workflow.Status.IGNORED else "somebody answers for it now"


def _finding(row: Workflow) -> Finding:
    return Finding(
        cause=cause_of("discovered", row.pk),
        title=f"A new workflow appeared: {row.name}. Nobody answers for what it spends yet.",
        happened_at=row.created_at,
        path=page("workflow", row.slug),
        facts={"Workflow": row.name, "Short name": row.slug},
        subject={"workflow": row.pk},
    )
