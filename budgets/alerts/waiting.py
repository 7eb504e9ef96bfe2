"""A request has been waiting for a decision for hours."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import Declared, Field, Kind, page
from budgets.models import Alert, AlertRule, ApprovalRequest
from budgets.pages.amounts import whole

HOUR = timedelta(hours=1)


class WaitingRequest(Declared):
    """Options: `hours` without a decision."""

    key = "waiting_request"
    words = "A request waits for a decision"
    every = timedelta(seconds=30)
    fields = (Field("hours", "For", Kind.WHOLE, 24, most=24 * 30, unit="hours"),)

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        hours = "an hour" if options["hours"] == 1 else f"{options['hours']} hours"
        return f"Tell me when a request{f' of {team}' if team else ''} has been waiting for {hours}."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        after = rule.options["hours"] * HOUR
        waiting = ApprovalRequest.objects.filter(state=ApprovalRequest.State.WAITING)
        return self._found(rule, waiting.filter(created_at__gte=rule.since - after, created_at__lte=now - after))

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """Requests that were not decided by then."""
        after = rule.options["hours"] * HOUR
        rows = ApprovalRequest.objects.filter(created_at__gte=since - after, created_at__lt=until - after)
        late = [row.pk for row in rows if row.decided_at is None or row.decided_at > row.created_at + after]
        return self._found(rule, rows.filter(pk__in=late))

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """It was decided, withdrawn, or lapsed."""
        by_pk = {alert.facts.get("subject", {}).get("request"): alert for alert in alerts}
        rows = ApprovalRequest.objects.filter(pk__in=[pk for pk in by_pk if pk])
        return [
            Over(by_pk[row.pk].cause, f"{row}: {row.get_state_display().lower()}{_by(row)}.")
            for row in rows.exclude(state=ApprovalRequest.State.WAITING)
        ]

    def _found(self, rule: AlertRule, rows: QuerySet[ApprovalRequest]) -> list[Finding]:
        if rule.team_id is not None:
            rows = rows.filter(Q(team=rule.team_id))
        found = rows.select_related("workflow", "budget").order_by("pk")
        return [_finding(row, rule.options["hours"]) for row in found]


def _by(row: ApprovalRequest) -> str:
    return f" by {row.decided_text}" if row.decided_text else ""


def _finding(row: ApprovalRequest, hours: int) -> Finding:
    what = row.get_kind_display().lower()
    about = row.workflow or row.budget
    lead = f"{whole(row.extra_cost)} more: " if row.extra_cost else ""
    waited = "an hour" if hours == 1 else f"{hours} hours"
    asked = f"{lead}{row.requested_text} asked for {what}" + (f" for {about.name}" if about else "")
    if row.kind == ApprovalRequest.Kind.POLICY:
        asked = f"{row.requested_text} asked to publish the policy “{row.policy_title}”"
    return Finding(
        cause=cause_of("request", row.pk, hours),
        title=f"{asked} and has been waiting for {waited}.",
        happened_at=row.created_at + hours * HOUR,
        path=page("approval", row.pk),
        amount=row.extra_cost,
        team_id=row.team_id,
        facts={"Request": what, "By": row.requested_text, "Why": row.reason[:200]},
        subject={"request": row.pk},
    )
