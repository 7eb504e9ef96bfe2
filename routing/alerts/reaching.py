"""What somebody may make a rule about: those limited to teams, only one team of theirs and what belongs to it."""

from typing import Any

from budgets.access.reachable import reachable
from budgets.access.roles import reach
from budgets.alerts.rules import InvalidRule, RuleValues
from budgets.alerts.trigger import Kind, Trigger
from budgets.models import Budget, Team, Workflow
from usage.alerts.scopes import NOT_THERE

CHANGE = "budgets.change_alertrule"
HANDLE = "budgets.handle_alert"
NOT_YOUR_TEAM = "Choose one of your teams: your role is for these only."
GONE = {
    Kind.BUDGET: "There is no such budget. Choose one of the list.",
    Kind.WORKFLOW: "There is no such workflow. Choose one of the list.",
}


def within_reach(who: Any, trigger: Trigger, values: RuleValues) -> RuleValues:
    """The values as they are. Raises InvalidRule for a team, budget or workflow that `who` has no right for."""
    problems: dict[str, str] = {}
    reached = reach(who, CHANGE)
    if not reached.has({values.team_id} if values.team_id is not None else ()):
        problems["team_id"] = NOT_YOUR_TEAM
    if not reached.everything:
        for field in trigger.fields:
            slug = values.options.get(field.name)
            model: Any = {Kind.BUDGET: Budget, Kind.WORKFLOW: Workflow}.get(field.kind)
            if not model or not isinstance(slug, str) or not slug.strip() or "\0" in slug:
                continue
            if not reachable(model, who, CHANGE).filter(slug=slug.strip()).exists():
                problems[field.name] = GONE[field.kind]
        problems |= _named(who, values)
    if problems:
        raise InvalidRule(problems)
    return values


def _named(who: Any, values: RuleValues) -> dict[str, str]:
    """What is wrong with the team or workflow that a rule about spend names; one out of reach is not there."""
    dimension, value = values.options.get("dimension"), values.options.get("value")
    model: Any = {"workflow": Workflow, "team": Team}.get(str(dimension))
    if not model or not isinstance(value, str) or not value or "\0" in value:
        return {}
    is_there = reachable(model, who, CHANGE).filter(slug=value).exists()
    return {} if is_there else {"value": NOT_THERE[str(dimension)].format(value)}
