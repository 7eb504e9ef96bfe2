"""A key is about to expire."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, Q

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.trigger import Declared, Field, Kind, page
from budgets.models import Alert, AlertRule, ApiKey, Organisation
from budgets.pages.moments import day_year


class ExpiringKey(Declared):
    """Options: `days` before its end. A key that expires soon is told by a new rule too: its end is still to come."""

    key = "expiring_key"
    words = "A key is about to expire"
    every = timedelta(seconds=60)
    fields = (Field("days", "Before its last", Kind.WHOLE, 14, most=365, unit="days"),)

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        days = "a day" if options["days"] == 1 else f"{options['days']} days"
        return f"Tell me {days} before a key{f' of {team}' if team else ''} expires."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        return [one for one in self._found(rule, rule.since, now) if one.happened_at <= now]

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """By the dates that keys have today."""
        return [one for one in self._found(rule, since, until) if one.happened_at < until]

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """It was replaced or revoked, its end was moved, or it has come."""
        by_key = {alert.facts.get("subject", {}).get("key"): alert for alert in alerts}
        found = []
        for key in _keys().filter(pk__in=[pk for pk in by_key if pk]):
            alert = by_key.pop(key.pk)
            if said := _what_became(key, alert.facts["subject"]["expires_at"], now):
                found.append(Over(alert.cause, f"The key {key.name}: {said}."))
        return found + [Over(alert.cause, "The key is gone.") for pk, alert in by_key.items() if pk]

    def _found(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        before = timedelta(days=rule.options["days"])
        rows = _keys().filter(expires_at__gt=since, expires_at__lte=until + before, created_at__lte=until)
        found = []
        for key in rows.prefetch_related("teams"):
            assert key.expires_at is not None
            at = max(key.expires_at - before, key.created_at, since)
            teams = [team.pk for team in key.teams.all()]
            gone = [when for when in (key.revoked_at, key.replaced_at) if when is not None]
            if all(when > at for when in gone) and (rule.team_id is None or rule.team_id in teams):
                team = rule.team_id if rule.team_id is not None else teams[0] if len(teams) == 1 else None
                found.append(_finding(key, at, team, rule.options["days"]))
        return found


def _keys() -> Any:
    """Keys that end, with when they were replaced."""
    return (
        ApiKey.objects.filter(~Q(expires_at=None)).annotate(replaced_at=Min("replaced_by__created_at")).order_by("pk")
    )


def _what_became(key: Any, expires_at: str, now: datetime) -> str:
    if key.revoked_at is not None:
        return "it was revoked"
    if key.replaced_at is not None:
        return "it was replaced"
    if key.expires_at.isoformat() != expires_at:
        return "its end was moved"
    return "it has expired" if key.expires_at <= now else ""


def _finding(key: ApiKey, at: datetime, team_id: int | None, days: int) -> Finding:
    assert key.expires_at is not None
    ends = Organisation.get().local(key.expires_at)
    return Finding(
        cause=cause_of("key", key.pk, key.expires_at.isoformat(), days),
        title=f"The key {key.name} expires on {day_year(ends.date())}. Replace it before, or what it sends is refused.",
        happened_at=at,
        path=page("key", key.pk),
        team_id=team_id,
        facts={"Key": f"{key.name} ({key.prefix}…)", "Expires": day_year(ends.date())},
        subject={"key": key.pk, "expires_at": key.expires_at.isoformat()},
    )
