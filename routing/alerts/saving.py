"""Save what somebody states of a rule, by page and API alike: within their reach, and with a name."""

from dataclasses import replace
from typing import Any

from budgets.alerts.rules import RuleValues, change_rule, checked, create_rule
from budgets.alerts.trigger import Trigger
from budgets.audit.record import Actor
from budgets.models import AlertRule, Team
from routing.alerts.reaching import within_reach
from routing.alerts.words import plain_sentence, suggested_name


def settled(who: Any, trigger: Trigger, values: RuleValues) -> RuleValues:
    """The values checked, within reach of `who`, and called like the sentence where no name is given.

    Raises `budgets.alerts.rules.InvalidRule`.
    """
    found = checked(trigger, within_reach(who, trigger, values))
    if values.name.strip():
        return found
    team = Team.objects.filter(pk=found.team_id).first() if found.team_id else None
    said = plain_sentence(trigger, found.options, team.name if team else "")
    return replace(found, name=suggested_name(said) or found.name)


def make_rule(actor: Actor, who: Any, trigger: Trigger, values: RuleValues, reason: str = "") -> AlertRule:
    """A new rule. Raises InvalidRule."""
    return create_rule(actor, trigger, settled(who, trigger, values), reason)


def save_rule(
    actor: Actor,
    who: Any,
    rule: AlertRule,
    trigger: Trigger,
    values: RuleValues,
    reason: str = "",
    expected_version: int | None = None,
) -> AlertRule:
    """Change a rule. One that is called like its sentence is called like the new one.

    Raises InvalidRule, StaleRule, RefusedRule.
    """
    said = plain_sentence(trigger, rule.options, rule.team.name if rule.team else "")
    if values.name == suggested_name(said):
        values = replace(values, name="")
    return change_rule(actor, rule, trigger, settled(who, trigger, values), reason, expected_version)
