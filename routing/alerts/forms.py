"""The form of an alert rule: its trigger's options, whom it tells, and how soon."""

from typing import Any

from django import forms
from django.contrib.auth.models import User

from budgets.access.reachable import reachable
from budgets.access.roles import reach
from budgets.alerts.rules import LONGEST_NAME, LONGEST_REASON, RuleValues
from budgets.alerts.trigger import LONGEST, Field, Kind, Trigger
from budgets.delivery.transports import TRANSPORTS
from budgets.models import AlertRule, Budget, Channel, Team, Workflow
from budgets.pages.named import OFFERED
from budgets.people.names import shown_name
from routing.alerts.reaching import CHANGE
from routing.alerts.times import MUTES

OWN = ("name", "team", "urgent", "channels", "owner")
KEPT_AS = {"team_id": "team", "channel_ids": "channels", "owner_id": "owner"}
UNITS = {"$": "in US dollars", "×": "", "%": "in %"}
NUMBERS = {Kind.MONEY: "decimal", Kind.FACTOR: "decimal", Kind.WHOLE: "numeric"}
LISTS = {Kind.BUDGET: "budgets-list", Kind.WORKFLOW: "workflows-list"}


class RuleForm(forms.Form):
    """`values` after `is_valid`. What an option may be is said by the trigger; `refuse` shows it."""

    name = forms.CharField(
        label="Name", required=False, max_length=LONGEST_NAME, help_text="Left empty, it is called like its sentence."
    )
    team = forms.ChoiceField(
        label="Only about this team", required=False, help_text="Its own budgets, workflows and requests."
    )
    channels = forms.MultipleChoiceField(
        label="Whom to tell",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Without any, alerts are shown on the Alerts page only.",
        error_messages={"invalid_choice": "One of these channels is gone. Choose from the list."},
    )
    urgent = forms.ChoiceField(
        label="How soon",
        required=False,
        choices=[("1", "At once"), ("0", "Once a day, in the channel’s digest")],
        widget=forms.RadioSelect,
    )
    owner = forms.ChoiceField(label="Who sees to it", required=False, help_text="Owns its alerts from the start.")

    def __init__(self, *args: Any, trigger: Trigger, who: Any, rule: AlertRule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.trigger = trigger
        for one in trigger.fields:
            self.fields[one.name] = _field(one)
        self.teams = {row.slug: row for row in reachable(Team, who, CHANGE).order_by("name")}
        named = [(slug, row.name) for slug, row in self.teams.items()]
        everything = reach(who, CHANGE).everything
        self._choose("team", [("", "All teams" if everything else "Choose a team"), *named])
        kept = {one.pk for one in rule.channels.all()} if rule else set()
        channels = Channel.objects.filter(archived_at=None)
        self._choose("channels", [(str(one.pk), f"{one.name} ({_transport(one)})") for one in channels])
        people = User.objects.filter(is_active=True).order_by("first_name", "username")
        if rule and rule.owner_id:
            people |= User.objects.filter(pk=rule.owner_id)
        self._choose("owner", [("", "Nobody"), *((one.username, shown_name(one)) for one in people)])
        self.has_channels = bool(kept) or channels.exists()
        self.offers = {
            LISTS[kind]: offers(kind, who) for kind in LISTS if any(one.kind is kind for one in trigger.fields)
        }

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    @property
    def option_fields(self) -> list[forms.BoundField]:
        return [self[one.name] for one in self.trigger.fields]

    @property
    def values(self) -> RuleValues:
        stated = self.cleaned_data
        team = self.teams.get(stated.get("team", ""))
        owner = User.objects.filter(username=stated["owner"]).first() if stated.get("owner") else None
        return RuleValues(
            name=stated.get("name", ""),
            options={one.name: stated.get(one.name, "") for one in self.trigger.fields},
            team_id=team.pk if team else None,
            urgent=stated.get("urgent", "1") != "0",
            channel_ids=tuple(int(pk) for pk in stated.get("channels", [])),
            owner_id=owner.pk if owner else None,
        )

    def refuse(self, problems: dict[str, str]) -> None:
        """Show what the room says beside its field."""
        for name, said in problems.items():
            known = KEPT_AS.get(name, name)
            if known not in self.errors:
                self.add_error(known if known in self.fields else None, said)


def _field(one: Field) -> forms.Field:
    """An option as a field. What it may be the trigger says in its own words; what is missing is said likewise."""
    unit = UNITS.get(one.unit, one.unit)
    label = f"{one.label}, {unit}" if unit else one.label
    missing = f"Fill this in: {one.label[:1].lower()}{one.label[1:]}."
    common: dict[str, Any] = {"label": label, "required": one.required, "help_text": one.help, "initial": one.default}
    common["error_messages"] = {"required": missing}
    if one.kind is Kind.CHOICE:
        chosen = list(one.choices)
        if not one.required and "" not in dict(chosen):
            chosen.insert(0, ("", "Any"))
        return forms.ChoiceField(choices=chosen, **common)
    attributes = {"autocomplete": "off"}
    if one.kind in LISTS:
        attributes["list"] = LISTS[one.kind]
    if one.kind in NUMBERS:
        attributes["inputmode"] = NUMBERS[one.kind]
    return forms.CharField(max_length=LONGEST, widget=forms.TextInput(attrs=attributes), **common)


def _transport(channel: Channel) -> str:
    return TRANSPORTS[channel.transport].words if channel.transport in TRANSPORTS else channel.transport


def offers(kind: Kind, who: Any) -> list[tuple[str, str]]:
    """(short name, name) for the list under a field: what the reader has a right for, the first 300."""
    if kind is Kind.BUDGET:
        budgets = reachable(Budget, who, CHANGE).exclude(status=Budget.Status.ARCHIVED)
        return list(budgets.order_by("name").values_list("slug", "name")[:OFFERED])
    status = Workflow.Status
    workflows = reachable(Workflow, who, CHANGE).exclude(status__in=[status.RESERVED, status.MERGED, status.IGNORED])
    return list(workflows.order_by("name").values_list("slug", "name")[:OFFERED])


def first_values(rule: AlertRule) -> dict[str, Any]:
    """A rule as its form shows it."""
    return {
        **rule.options,
        "name": rule.name,
        "team": rule.team.slug if rule.team else "",
        "channels": [str(one.pk) for one in rule.channels.all()],
        "urgent": "1" if rule.urgent else "0",
        "owner": rule.owner.username if rule.owner else "",
    }


class MuteForm(forms.Form):
    """For how long, and why."""

    until = forms.ChoiceField(label="For how long", choices=list(MUTES.items()))
    reason = forms.CharField(label="Why", required=False, max_length=LONGEST_REASON)
