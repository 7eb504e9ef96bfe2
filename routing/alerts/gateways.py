"""A gateway goes by an old policy: it has stopped pulling the bundle, or says itself that it obeys an older one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import Declared, Field, Kind, page
from budgets.models import Alert, AlertRule, ApiKey, Organisation
from budgets.pages.moments import moment
from routing.alerts import old_policy

MINUTE = timedelta(minutes=1)


class StaleGateway(Declared):
    """Options: `minutes` without pulling, or with an older one. Keys that pull the bundle and did so before; one that
    never did is told of nowhere. When a key was used is written down once a minute."""

    key = "stale_gateway"
    words = "A gateway goes by an old policy"
    every = timedelta(seconds=30)
    fields = (
        Field("minutes", "Without the newest policy for", Kind.WHOLE, 30, least=5, most=60 * 24 * 30, unit="minutes"),
    )

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        of = f" of {team}" if team else ""
        return f"Tell me when a gateway{of} has been without the newest policy for {options['minutes']} minutes."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        found = [*self._found(rule, rule.since, now), *old_policy.findings(rule, rule.since, now)]
        return [one for one in found if one.happened_at <= now]

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """Only pauses that last until today: when a gateway asked before its last time is not kept."""
        return [one for one in self._found(rule, since, until) if one.happened_at < until]

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """It asks again, obeys another revision, or its key is no longer in force."""
        by_key = {alert.facts.get("subject", {}).get("key"): alert for alert in alerts}
        found = old_policy.over([one for one in alerts if "client" in one.facts.get("subject", {})])
        in_force = set(
            ApiKey.objects.in_force(now).filter(pk__in=[pk for pk in by_key if pk]).values_list("pk", flat=True)
        )
        for key in ApiKey.objects.filter(pk__in=[pk for pk in by_key if pk]):
            alert = by_key[key.pk]
            if key.last_used_at is None or key.last_used_at.isoformat() != alert.facts["subject"]["last_used_at"]:
                found.append(Over(alert.cause, f"The gateway {key.name} asks for the policy again."))
            elif key.pk not in in_force:
                found.append(Over(alert.cause, f"The key {key.name} is no longer in force."))
        return found

    def _found(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        pause = rule.options["minutes"] * MINUTE
        rows = ApiKey.objects.in_force(until).filter(
            scopes__contains=[ApiKey.Scope.BUNDLE], last_used_at__gte=since - pause, last_used_at__lte=until - pause
        )
        found = []
        for key in rows.prefetch_related("teams").order_by("pk"):
            teams = [team.pk for team in key.teams.all()]
            if rule.team_id is None or rule.team_id in teams:
                team = rule.team_id if rule.team_id is not None else teams[0] if len(teams) == 1 else None
                found.append(_finding(key, team, rule.options["minutes"]))
        return found


def _finding(key: ApiKey, team_id: int | None, minutes: int) -> Finding:
    assert key.last_used_at is not None
    organisation, silent_at = Organisation.get(), key.last_used_at + minutes * MINUTE
    return Finding(
        cause=cause_of("gateway", key.pk, key.last_used_at.isoformat(), minutes),
        title=f"{minutes} minutes without the policy: the gateway {key.name} may go by an old one.",
        happened_at=silent_at,
        path=page("key", key.pk),
        team_id=team_id,
        facts={
            "Gateway": f"{key.name} ({key.prefix}…)",
            "Asked last": moment(organisation.local(key.last_used_at), organisation.local(silent_at)),
        },
        subject={"key": key.pk, "last_used_at": key.last_used_at.isoformat()},
    )
