"""Clients that say themselves that they go by an older policy: how long there has been a newer one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import page
from budgets.models import Alert, AlertRule, Organisation
from budgets.pages.moments import moment
from routing.fleet.listing import QUIET
from routing.fleet.report import newest_revision
from routing.models import FleetClient

MINUTE = timedelta(minutes=1)


def behind_since(since: datetime, until: datetime, minutes: int) -> QuerySet[FleetClient]:
    """Clients heard of lately that have obeyed an older revision for `minutes` by `until`, and not yet by `since`."""
    pause = minutes * MINUTE
    rows = FleetClient.objects.late().select_related("key").prefetch_related("key__teams")
    rows = rows.filter(behind_at__gte=since - pause, behind_at__lte=until - pause)
    return rows.filter(seen_at__gte=until - max(QUIET, pause)).order_by("pk")


def findings(rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
    """One for each such client and revision that it obeys, of the rule's team where it has one."""
    organisation, minutes = Organisation.get(), rule.options["minutes"]
    told = []
    for row in behind_since(since, until, minutes):
        teams = [team.pk for team in row.key.teams.all()]
        if rule.team_id is None or rule.team_id in teams:
            team = rule.team_id if rule.team_id is not None else teams[0] if len(teams) == 1 else None
            told.append(_finding(row, team, minutes, organisation))
    return told


def _finding(row: Any, team_id: int | None, minutes: int, organisation: Organisation) -> Finding:
    happened = row.behind_at + minutes * MINUTE
    runs = "no policy at all" if row.revision is None else f"revision {row.revision}"
    facts = {
        "Gateway": f"{row.client} (key {row.key.name})",
        "Goes by": runs,
        "Newer one since": moment(organisation.local(row.behind_at), organisation.local(happened)),
    }
    if row.answer == FleetClient.Answer.NACK and row.error:
        facts["It says"] = row.error
    return Finding(
        cause=cause_of("client", row.key_id, row.client, row.epoch, row.revision, minutes),
        title=f"{minutes} minutes behind: the gateway {row.client} goes by {runs}.",
        happened_at=happened,
        path=page("gateways"),
        team_id=team_id,
        facts=facts,
        subject={"client": row.pk, "epoch": row.epoch, "revision": row.revision},
    )


def over(alerts: Sequence[Alert]) -> list[Over]:
    """It obeys another revision than was told, or is the newest's again, or is heard of no more."""
    by_client = {alert.facts["subject"]["client"]: alert for alert in alerts}
    newest, said = newest_revision(), []
    rows = FleetClient.objects.filter(pk__in=by_client).in_bulk()
    for pk, alert in by_client.items():
        row, subject = rows.get(pk), alert.facts["subject"]
        name = alert.facts.get("facts", {}).get("Gateway", "The gateway")
        if row is None:
            said.append(Over(alert.cause, f"{name} has not been heard of for a month."))
        elif (row.epoch, row.revision) == newest:
            said.append(Over(alert.cause, f"The gateway {row.client} goes by the newest policy again."))
        elif (row.epoch, row.revision) != (subject["epoch"], subject["revision"]):
            said.append(Over(alert.cause, f"The gateway {row.client} has moved on to revision {row.revision}."))
    return said
