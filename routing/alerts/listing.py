"""Alerts as the page lists them: which are asked for, in which order, and each in words."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Case, IntegerField, Max, Q, QuerySet, Value, When

from budgets.access.reachable import reachable
from budgets.access.roles import VIEW, reach
from budgets.models import Alert, AlertRule, AuditEntry, Organisation, Team
from budgets.pages.moments import moment
from budgets.people.names import shown_name
from routing.alerts.reaching import HANDLE
from routing.alerts.triggers import TRIGGERS

STATES: Mapping[str, str] = {
    "open": "Open", "snoozed": "Snoozed", "acknowledged": "Acknowledged", "resolved": "Over",
}  # fmt: skip
RELATED = ("rule", "team", "owner", "acknowledged_by")
UNDOABLE = {"acknowledged", "assigned", "snoozed", "unsnoozed"}
LONGEST_ID = 18  # digits of a number of the query string
OBJECT_TYPE = Alert._meta.label_lower


def in_state(state: str, now: datetime) -> Q:
    """Alerts in one of STATES as of `now`; each is in exactly one."""
    sleeping = Q(snoozed_until__gt=now)
    awake = Q(snoozed_until=None) | Q(snoozed_until__lte=now)
    standing = Q(resolved_at=None)
    return {
        "open": standing & awake & Q(acknowledged_at=None),
        "snoozed": standing & sleeping,
        "acknowledged": standing & awake & Q(acknowledged_at__isnull=False),
        "resolved": Q(resolved_at__isnull=False),
    }[state]


def state_of(alert: Alert, now: datetime) -> str:
    """Which of STATES it is in as of `now`."""
    if alert.resolved_at is not None:
        return "resolved"
    if alert.snoozed_until is not None and alert.snoozed_until > now:
        return "snoozed"
    return "open" if alert.acknowledged_at is None else "acknowledged"


def open_first(rows: QuerySet[Alert], now: datetime) -> QuerySet[Alert]:
    """In the order of STATES, in each the newest first."""
    places = [When(in_state(state, now), then=Value(place)) for place, state in enumerate(STATES)]
    return rows.annotate(place=Case(*places, output_field=IntegerField())).order_by("place", "-raised_at", "-pk")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the query string asks for; `note` says what of it was ignored."""

    state: str = ""
    rule: int | None = None
    team: str = ""
    query: str = ""
    own: bool = False
    note: str = ""

    @property
    def is_any(self) -> bool:
        return not (self.state or self.rule or self.team or self.query or self.own)

    def of(self, rows: QuerySet[Alert], user: Any, now: datetime) -> QuerySet[Alert]:
        if self.state:
            rows = rows.filter(in_state(self.state, now))
        if self.rule is not None:
            rows = rows.filter(rule=self.rule)
        if self.team:
            rows = rows.filter(team__slug=self.team)
        if self.own:
            rows = rows.filter(owner=user)
        return rows.filter(words_in(self.query, user)) if self.query else rows


def words_in(words: str, who: Any) -> Q:
    """Alerts with these words in their title or in the name of their rule, where that is in reach."""
    return Q(title__icontains=words) | Q(rule__in=reachable(AlertRule, who).filter(name__icontains=words))


def chosen(given: Mapping[str, str], user: Any) -> Chosen:
    """Understand the query string; what makes no sense is ignored with a note, as is a team out of sight."""
    ignored = []
    state, rule, team = given.get("state", ""), given.get("rule", ""), given.get("team", "").replace("\0", "")[:128]
    if state and state not in STATES:
        ignored.append(f"“{state[:20]}” is no state of an alert")
        state = ""
    if rule and not is_number(rule):
        ignored.append(f"“{rule[:20]}” is no rule")
        rule = ""
    if team and not reachable(Team, user).filter(slug=team).exists():
        ignored.append(f"there is no team “{team[:20]}”")
        team = ""
    return Chosen(
        state,
        int(rule) if rule else None,
        team,
        given.get("q", "").replace("\0", "").strip()[:100],
        given.get("own") == "1",
        f"{'; '.join(ignored)}. It was ignored.".replace("\0", "") if ignored else "",
    )


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID


@dataclass(frozen=True, slots=True)
class Row:
    """An alert for a template; moments in words, in the organisation's time. `rule` is what the reader may call it."""

    alert: Alert
    rule: str
    state: str
    state_words: str
    when: str
    snoozed_until: str
    resolved_when: str
    owner: str
    acknowledged_by: str
    is_mine: bool
    may_handle: bool
    undo: int | None


def rows_of(alerts: Sequence[Alert], user: User, organisation: Organisation, now: datetime) -> list[Row]:
    """One statement for what can be undone, whatever the number of alerts, and one for whom teams narrow.

    RELATED should be read with them.
    """
    reached, undoable, rules = reach(user, HANDLE), _newest_acts(alerts), rules_known(user)
    local = organisation.local

    def words(when: datetime | None) -> str:
        return moment(local(when), local(now)) if when else ""

    def one(alert: Alert) -> Row:
        state = state_of(alert, now)
        may = reached.has({alert.team_id} if alert.team_id else ())
        return Row(
            alert=alert,
            rule=rule_name(alert, rules),
            state=state,
            state_words=STATES[state],
            when=words(alert.raised_at),
            snoozed_until=words(alert.snoozed_until) if state == "snoozed" else "",
            resolved_when=words(alert.resolved_at),
            owner=shown_name(alert.owner) if alert.owner else "",
            acknowledged_by=shown_name(alert.acknowledged_by) if alert.acknowledged_by else "",
            is_mine=alert.owner_id == user.pk,
            may_handle=may,
            undo=undoable.get(alert.pk) if may else None,
        )

    return [one(alert) for alert in alerts]


def _newest_acts(alerts: Sequence[Alert]) -> dict[int, int]:
    """Alert → the row of history that can be taken back: its newest, where that is an act on it."""
    ids = [str(alert.pk) for alert in alerts]
    newest = (
        AuditEntry.objects.filter(object_type=OBJECT_TYPE, object_id__in=ids)
        .order_by()
        .values("object_id")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    rows = AuditEntry.objects.filter(pk__in=newest, act__in=UNDOABLE).order_by()
    return {int(one): pk for one, pk in rows.values_list("object_id", "pk")}


def rules_known(who: Any) -> frozenset[int] | None:
    """Ids of the alert rules in reach, in one statement; None where no team narrows it: all."""
    if reach(who, VIEW).everything:
        return None
    return frozenset(reachable(AlertRule, who).values_list("pk", flat=True))


def rule_name(alert: Alert, known: Collection[int] | None) -> str:
    """What the rule is called; of one out of reach, whose name may be about other teams, what it tells of."""
    return alert.rule.name if known is None or alert.rule_id in known else trigger_words(alert.rule.trigger)


def trigger_words(key: str) -> str:
    """What the menu calls a trigger; its key where it is gone."""
    return TRIGGERS[key].words if key in TRIGGERS else key
