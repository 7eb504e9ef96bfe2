"""Write what a rule found, once per cause, and which channels have to hear of it; the same when it is over."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max

from budgets.alerts.findings import Finding, Over, in_order, title_of
from budgets.models import Alert, AlertRule, Notice
from budgets.notices.hint import hint_settle

INSERT = """
INSERT INTO budgets_alert (rule_id, cause, title, facts, amount, team_id, happened_at, raised_at, muted, owner_id,
    resolution)
SELECT %s, w.cause, w.title, w.facts::jsonb, w.amount, w.team_id, w.happened_at, %s, %s, %s, ''
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[])
    AS w (cause, title, facts, amount, team_id, happened_at)
WHERE NOT EXISTS (SELECT FROM budgets_alert told WHERE told.rule_id = %s AND told.cause = w.cause)
ORDER BY w.cause
ON CONFLICT (rule_id, cause) DO NOTHING
RETURNING id
"""
RESOLVE = """
UPDATE budgets_alert SET resolved_at = %s, resolution = w.said
FROM unnest(%s::text[], %s::text[]) AS w (cause, said)
WHERE rule_id = %s AND budgets_alert.cause = w.cause AND resolved_at IS NULL
RETURNING id
"""
WAKE = """
UPDATE budgets_alert SET snoozed_until = NULL
WHERE rule_id = %s AND resolved_at IS NULL AND snoozed_until <= %s RETURNING id
"""


@transaction.atomic
def tell(rule: AlertRule, findings: Sequence[Finding], now: datetime) -> list[Alert]:
    """Those alerts that are new. Each cause is written once per rule, whoever else tells of it at the same time.

    Left out is what happened before the rule's `since`, and what is not its team's. Each channel of the rule that is
    in use gets one notice, unless the rule is muted: then the alert is only written.
    """
    rule = _hold(rule)
    wanted = [one for one in in_order(findings) if falls_under(rule, one)]
    if not wanted or rule.archived_at is not None:
        return []
    is_muted = rule.is_muted(now)
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT,
            [
                rule.pk,
                now,
                is_muted,
                rule.owner_id,
                [one.cause for one in wanted],
                [title_of(one.title) for one in wanted],
                [json.dumps(one.as_json()) for one in wanted],
                [one.amount for one in wanted],
                [one.team_id for one in wanted],
                [one.happened_at for one in wanted],
                rule.pk,
            ],
        )
        ids = [row[0] for row in cursor.fetchall()]
    told = list(Alert.objects.filter(pk__in=ids).order_by("happened_at", "pk"))
    if not is_muted:
        _notify(rule, ((alert, 0) for alert in told), Notice.Kind.RAISED, now)
    return told


@transaction.atomic
def resolve(rule: AlertRule, overs: Sequence[Over], now: datetime) -> list[Alert]:
    """Close these of the rule's open alerts, each once; the alerts closed just now.

    The channels that were told of one are told that it is over, unless the rule is muted or archived.
    """
    if not overs:
        return []
    rule = _hold(rule)
    said = {one.cause: title_of(one.said) for one in overs}
    with connection.cursor() as cursor:
        cursor.execute(RESOLVE, [now, list(said), list(said.values()), rule.pk])
        ids = [row[0] for row in cursor.fetchall()]
    if rule.archived_at is None and not rule.is_muted(now):
        heard = Notice.objects.filter(alert__in=ids, kind=Notice.Kind.RAISED, channel__archived_at=None)
        _write(
            Notice(alert_id=alert, channel_id=channel, kind=Notice.Kind.RESOLVED, urgent=rule.urgent, created_at=now)
            for alert, channel in heard.values_list("alert_id", "channel_id")
        )
    return list(Alert.objects.filter(pk__in=ids).order_by("pk"))


@transaction.atomic
def tell_again(rule: AlertRule, now: datetime) -> list[Alert]:
    """Those whose snooze is over and which still stand, once for each snooze. What is over was resolved before."""
    rule = _hold(rule)
    with connection.cursor() as cursor:
        cursor.execute(WAKE, [rule.pk, now])
        ids = [row[0] for row in cursor.fetchall()]
    if not ids or rule.archived_at is not None or rule.is_muted(now):
        return []
    again = Alert.objects.filter(pk__in=ids).order_by("pk")
    rounds = dict(
        Notice.objects.filter(alert__in=ids, kind=Notice.Kind.AGAIN)
        .values_list("alert_id")
        .annotate(last=Max("round"))
        .order_by()
    )
    _notify(rule, ((alert, rounds.get(alert.pk, -1) + 1) for alert in again), Notice.Kind.AGAIN, now)
    return list(again)


def falls_under(rule: AlertRule, finding: Finding) -> bool:
    """Whether it is of the rule's team and time."""
    return finding.happened_at >= rule.since and rule.team_id in (None, finding.team_id)


def _hold(rule: AlertRule) -> AlertRule:
    """As it is now, held against being muted or changed meanwhile."""
    return AlertRule.objects.select_for_update(no_key=True).get(pk=rule.pk)


def _notify(rule: AlertRule, rounds: Iterable[tuple[Alert, int]], kind: str, now: datetime) -> None:
    channels = list(rule.channels.filter(archived_at=None).values_list("pk", flat=True))
    _write(
        Notice(alert=alert, channel_id=channel, kind=kind, round=number, urgent=rule.urgent, created_at=now)
        for alert, number in rounds
        for channel in channels
    )


def _write(notices: Iterable[Notice]) -> None:
    rows = list(notices)
    if rows:
        Notice.objects.bulk_create(rows, ignore_conflicts=True)
        transaction.on_commit(hint_settle)
