"""Make, change, mute and archive alert rules, and undo that: each in one transaction with its row of history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from budgets.alerts.trigger import InvalidOptions, Trigger
from budgets.audit.record import Actor, record
from budgets.models import AlertRule, AuditEntry, Channel, Team

LONGEST_NAME = 128
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class RuleValues:
    """What somebody states about a rule; its trigger is chosen when it is made and stays. No name: its sentence."""

    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    team_id: int | None = None
    urgent: bool = True
    channel_ids: tuple[int, ...] = ()
    owner_id: int | None = None

    @classmethod
    def of_row(cls, rule: AlertRule) -> "RuleValues":
        channels = tuple(sorted(rule.channels.values_list("pk", flat=True)))
        return cls(rule.name, dict(rule.options), rule.team_id, rule.urgent, channels, rule.owner_id)


class InvalidRule(ValueError):
    """`problems`: field → sentence; an option's is under its own name."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


class RefusedRule(Exception):
    """What the rule's state does not allow; the message says why, for a reader."""


class StaleRule(Exception):
    """Somebody else changed the rule since it was read; `rule` is how it is now. Nothing was saved."""

    def __init__(self, rule: AlertRule) -> None:
        super().__init__("Somebody changed this rule meanwhile. Nothing was saved; look at it again and repeat.")
        self.rule = rule


@transaction.atomic
def create_rule(
    actor: Actor, trigger: Trigger, values: RuleValues, reason: str = "", now: datetime | None = None
) -> AlertRule:
    """A rule that tells of what happens from now on. Raises InvalidRule."""
    values = checked(trigger, values)
    rule = AlertRule(trigger=trigger.key, created_by=actor.user, since=now or timezone.now())
    _state(rule, values)
    rule.save(force_insert=True)
    rule.channels.set(values.channel_ids)
    record(actor, "created", rule, None, snapshot(rule), reason)
    return rule


@transaction.atomic
def change_rule(
    actor: Actor,
    rule: AlertRule,
    trigger: Trigger,
    values: RuleValues,
    reason: str = "",
    expected_version: int | None = None,
    now: datetime | None = None,
) -> AlertRule:
    """Save new values. Where it tells of something else than before, it tells of what happens from now on.

    `trigger` is the rule's own. Raises InvalidRule, StaleRule, or RefusedRule for an archived one.
    """
    row = _lock(rule.pk, expected_version)
    if trigger.key != row.trigger:
        raise InvalidRule({"trigger": "What a rule tells of stays. Make another rule for something else."})
    values, before, was = checked(trigger, values), snapshot(row), RuleValues.of_row(row)
    if was == values:
        return row
    if (was.options, was.team_id) != (values.options, values.team_id):
        row.since = now or timezone.now()
    _state(row, values)
    _save(row)
    row.channels.set(values.channel_ids)
    record(actor, "changed", row, before, snapshot(row), reason)
    return row


@transaction.atomic
def mute(
    actor: Actor, rule: AlertRule, until: datetime | None = None, reason: str = "", now: datetime | None = None
) -> AlertRule:
    """Write its alerts without sending them: until `until` (aware, still to come), or until it is unmuted.

    Raises InvalidRule.
    """
    now = now or timezone.now()
    if until is not None and until <= now:
        raise InvalidRule({"until": "Choose a time that is still to come."})
    row = _lock(rule.pk)
    before = snapshot(row)
    row.muted_at, row.muted_until = now, until
    row.mute_reason = reason.replace("\0", "")[:LONGEST_REASON]
    _save(row)
    record(actor, "muted", row, before, snapshot(row), reason)
    return row


@transaction.atomic
def unmute(actor: Actor, rule: AlertRule, reason: str = "") -> AlertRule:
    """Send its alerts again; those written meanwhile are not sent."""
    row = _lock(rule.pk)
    if row.muted_at is None:
        return row
    before = snapshot(row)
    row.muted_at = row.muted_until = None
    row.mute_reason = ""
    _save(row)
    record(actor, "unmuted", row, before, snapshot(row), reason)
    return row


@transaction.atomic
def archive(actor: Actor, rule: AlertRule, reason: str = "", now: datetime | None = None) -> AlertRule:
    """Take it out of use: it tells of nothing more. Its alerts stay, and close without a word when they are over."""
    row = AlertRule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    if row.archived_at is not None:
        return row
    before = snapshot(row)
    row.archived_at = now or timezone.now()
    _save(row)
    record(actor, "archived", row, before, snapshot(row), reason)
    return row


@transaction.atomic
def undo_rule(actor: Actor, entry: AuditEntry, now: datetime | None = None) -> AlertRule:
    """Restore how the rule was before `entry`; making it is undone by archiving it. Raises RefusedRule.

    What it would have told meanwhile is not told now.
    """
    row = AlertRule.objects.select_for_update(no_key=True).filter(pk=entry.object_id).first()
    # A trial message is in the history too, and changed nothing.
    changes = AuditEntry.objects.filter(object_type=AlertRule._meta.label_lower, object_id=entry.object_id)
    newest = changes.exclude(before=None, after=None).order_by("-at", "-id").first()
    if row is None or newest is None or newest.pk != entry.pk:
        raise RefusedRule("Somebody changed this since, or there is nothing to undo.")
    reason = f"Undo of “{entry.act}” by {entry.who_text}"
    if entry.before is None:
        return archive(actor, row, reason, now)
    before, kept = snapshot(row), entry.before
    if (before["options"], before["team_id"], before["archived_at"]) != (
        kept["options"],
        kept["team_id"],
        kept["archived_at"],
    ):
        row.since = now or timezone.now()
    people, teams = get_user_model().objects, Team.objects
    row.name, row.options, row.urgent = kept["name"], kept["options"], kept["urgent"]
    row.team = teams.filter(pk=kept["team_id"]).first()
    row.owner = people.filter(pk=kept["owner_id"]).first()
    row.mute_reason = kept["mute_reason"]
    for name in ("muted_at", "muted_until", "archived_at"):
        setattr(row, name, datetime.fromisoformat(kept[name]) if kept[name] else None)
    _save(row)
    row.channels.set(Channel.objects.filter(pk__in=[one["id"] for one in kept["channels"]]))
    record(actor, "restored", row, before, snapshot(row), reason)
    return row


def checked(trigger: Trigger, values: RuleValues) -> RuleValues:
    """The values in their one written form. Raises InvalidRule."""
    problems: dict[str, str] = {}
    options: dict[str, Any] = {}
    try:
        options = trigger.clean(values.options)
    except InvalidOptions as error:
        problems |= error.problems
    if len(values.name) > LONGEST_NAME or "\0" in values.name:
        problems["name"] = f"Write at most {LONGEST_NAME} letters."
    team = Team.objects.filter(pk=values.team_id).first() if values.team_id is not None else None
    if values.team_id is not None and team is None:
        problems["team_id"] = "There is no such team. Choose one of the list."
    wanted = set(values.channel_ids)
    if Channel.objects.filter(pk__in=wanted, archived_at=None).count() != len(wanted):
        problems["channel_ids"] = "One of these channels is gone. Choose from the list."
    if values.owner_id is not None and not get_user_model().objects.filter(pk=values.owner_id).exists():
        problems["owner_id"] = "There is no such person. Choose one of the list."
    if problems:
        raise InvalidRule(problems)
    name = " ".join(values.name.split()) or trigger.sentence(options, team.name if team else "")[:LONGEST_NAME]
    return RuleValues(name, options, values.team_id, bool(values.urgent), tuple(sorted(wanted)), values.owner_id)


def snapshot(rule: AlertRule) -> dict[str, Any]:
    """Everything about it that people decide, for the history; channels as id and name."""
    moments = {name: getattr(rule, name) for name in ("muted_at", "muted_until", "archived_at")}
    return {
        "name": rule.name,
        "trigger": rule.trigger,
        "options": rule.options,
        "team_id": rule.team_id,
        "urgent": rule.urgent,
        "channels": list(rule.channels.order_by("pk").values("id", "name")),
        "owner_id": rule.owner_id,
        "mute_reason": rule.mute_reason,
        **{name: value.isoformat() if value else None for name, value in moments.items()},
    }


def _state(rule: AlertRule, values: RuleValues) -> None:
    rule.name, rule.options, rule.urgent = values.name, dict(values.options), values.urgent
    rule.team_id, rule.owner_id = values.team_id, values.owner_id


def _save(row: AlertRule) -> None:
    row.edit_version += 1
    row.save()


def _lock(pk: int, expected_version: int | None = None) -> AlertRule:
    row = AlertRule.objects.select_for_update(no_key=True).get(pk=pk)
    if row.archived_at is not None:
        raise RefusedRule("This rule is archived and can no longer be changed. Restore it first, or make a new one.")
    if expected_version is not None and expected_version != row.edit_version:
        raise StaleRule(row)
    return row
