"""What a rule that is being written would have told: its sentence, how often on real history, and which alerts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from budgets.alerts.findings import Finding
from budgets.alerts.rules import InvalidRule, RuleValues, checked
from budgets.alerts.trigger import Trigger
from budgets.limits.calendar import day_of
from budgets.models import AlertRule, Channel, Organisation, Team
from budgets.pages.moments import day_year, moment
from routing.alerts.history import DAYS, Replayed, replay_rule
from routing.alerts.reaching import within_reach
from routing.alerts.words import addressed, plain_sentence, suggested_name
from usage.models import QuarterHour

SHOWN = 50
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Line:
    """One alert that there would have been; `when` is `happened_at` in the organisation's time, in words."""

    happened_at: datetime
    when: str
    title: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class Preview:
    """`problems` (field → sentence) where it cannot tell because of what is typed; `said` sums up.

    `weeks` are (the week's Monday, how many), the first first; `lines` the newest first, `more` those not shown.
    """

    sentence: str = ""
    name: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    said: str = ""
    note: str = ""
    count: int = 0
    lines: tuple[Line, ...] = ()
    more: int = 0
    weeks: tuple[tuple[date, int], ...] = ()


def preview_of(who: Any, trigger: Trigger, values: RuleValues, now: datetime, days: int = DAYS) -> Preview:
    """What the rule with these values would have told in the last `days`.

    `who` writes it, and must have the right for what it is about; None for a kept rule, which is in the reader's reach.
    """
    try:
        settled = checked(trigger, values if who is None else within_reach(who, trigger, values))
    except InvalidRule as error:
        return Preview(problems=error.problems)
    team = Team.objects.filter(pk=settled.team_id).first() if settled.team_id else None
    said = plain_sentence(trigger, settled.options, team.name if team else "")
    channels = list(Channel.objects.filter(pk__in=settled.channel_ids).values_list("name", flat=True))
    rule = AlertRule(trigger=trigger.key, options=dict(settled.options), team=team, since=now - timedelta(days=days))
    replayed = replay(rule, now, days)
    organisation = Organisation.get()
    findings = replayed.findings
    return Preview(
        sentence=addressed(said, channels),
        name=suggested_name(said),
        said=replayed.problem or _summed_up(findings, days, settled, organisation),
        note="" if replayed.problem else _known_since(replayed.since, organisation),
        count=len(findings),
        lines=tuple(_line(one, organisation, now) for one in reversed(findings[-SHOWN:])),
        more=max(0, len(findings) - SHOWN),
        weeks=() if replayed.problem else tuple(_weeks(findings, replayed, organisation)),
    )


def replay(rule: AlertRule, now: datetime, days: int = DAYS) -> Replayed:
    """`replay_rule`, of the rule's team only, as `tell` would have it."""
    found = replay_rule(rule, now, days)
    theirs = tuple(one for one in found.findings if rule.team_id in (None, one.team_id))
    return Replayed(found.since, found.until, theirs, found.problem)


def _summed_up(findings: Iterable[Finding], days: int, values: RuleValues, organisation: Organisation) -> str:
    rows = list(findings)
    if not rows:
        return f"In the last {days} days this would have told nothing."
    if not values.channel_ids:
        return f"In the last {days} days this would have shown {_counted(len(rows), 'alert')} here and sent no message."
    if values.urgent:
        return f"In the last {days} days this would have sent {_counted(len(rows), 'message')}."
    digests = len({day_of(one.happened_at, organisation.zone) for one in rows})
    told = f"{_counted(len(rows), 'alert')} in {_counted(digests, 'daily digest')}"
    return f"In the last {days} days this would have told {told}."


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _known_since(since: datetime, organisation: Organisation) -> str:
    """What must be said of the history where it does not reach back so far."""
    first = QuarterHour.objects.order_by("bucket").values_list("bucket", flat=True).first()
    if first is None:
        return "No usage has come in yet, so what depends on it cannot be told."
    if first <= since + timedelta(days=1):
        return ""
    return f"Usage is known since {day_year(organisation.local(first).date())} only."


def _line(one: Finding, organisation: Organisation, now: datetime) -> Line:
    when = moment(organisation.local(one.happened_at), organisation.local(now))
    return Line(one.happened_at, when, one.title, one.amount)


def _weeks(findings: Iterable[Finding], replayed: Replayed, organisation: Organisation) -> Iterable[tuple[date, int]]:
    counts: dict[date, int] = {}
    monday = _monday(replayed.since, organisation)
    while monday <= _monday(replayed.until, organisation):
        counts[monday] = 0
        monday += WEEK
    for one in findings:
        monday = _monday(one.happened_at, organisation)
        counts[monday] = counts.get(monday, 0) + 1
    return sorted(counts.items())


def _monday(when: datetime, organisation: Organisation) -> date:
    local = organisation.local(when).date()
    return local - timedelta(days=local.weekday())
