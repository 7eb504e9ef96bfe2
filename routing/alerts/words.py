"""An alert rule as a sentence: whom it tells, and of what."""

from collections.abc import Mapping, Sequence
from typing import Any

from budgets.alerts.rules import LONGEST_NAME
from budgets.alerts.trigger import InvalidOptions, Kind, Trigger
from budgets.models import AlertRule
from routing.alerts.triggers import TRIGGERS

TELL_ME = "Tell me "


def plain_sentence(trigger: Trigger, options: Mapping[str, Any], team: str = "") -> str:
    """The trigger's own sentence; "" for options that another version wrote in another shape."""
    try:
        return trigger.sentence(options, team)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return ""


def addressed(sentence: str, channels: Sequence[str]) -> str:
    """ "Tell Marketing alerts when one run costs more than $5." of "Tell me when …"."""
    rest = sentence.removeprefix(TELL_ME)
    if not channels:
        return f"Show here, and tell nobody, {rest}"
    names = channels[0] if len(channels) == 1 else f"{', '.join(channels[:-1])} and {channels[-1]}"
    return f"Tell {names} {rest}"


def rule_sentence(rule: AlertRule) -> str:
    """The rule as it is kept; its name where its trigger is gone. Channels and team should be read with it."""
    trigger = TRIGGERS.get(rule.trigger)
    said = plain_sentence(trigger, rule.options, rule.team.name if rule.team else "") if trigger else ""
    return addressed(said, [one.name for one in rule.channels.all() if one.archived_at is None]) if said else rule.name


def example(trigger: Trigger) -> str:
    """Its sentence with defaults; where these are not enough, with five dollars."""
    for given in ({}, {one.name: "5" for one in trigger.fields if one.kind is Kind.MONEY}):
        try:
            return plain_sentence(trigger, trigger.clean(given))
        except InvalidOptions:
            continue
    return ""


def suggested_name(sentence: str) -> str:
    """ "One run costs more than $5" of "Tell me when one run costs more than $5."."""
    rest = sentence.removeprefix(TELL_ME).removeprefix("when ").rstrip(".")
    return (rest[:1].upper() + rest[1:])[:LONGEST_NAME]
