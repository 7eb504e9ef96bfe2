"""The form that orders a report."""

from typing import Any

from django import forms

from budgets.models import Channel, Organisation
from budgets.organisation.forms import zones
from reports.mailed.edit import ReportValues
from reports.models import Subscription
from reports.views.seen import seen_by

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINE = "me"


class ReportForm(forms.Form):
    """`values()` once it is valid. Channels are offered to those who may change channels."""

    view = forms.ChoiceField(
        label="What it reports", help_text="All spend that you may see, or one of the saved views."
    )
    cadence = forms.ChoiceField(label="How often", choices=Subscription.Cadence.choices)
    weekday = forms.TypedChoiceField(
        label="On", coerce=int, choices=list(enumerate(WEEKDAYS, 1)), help_text="A monthly report comes on the first."
    )
    hour = forms.TypedChoiceField(label="At", coerce=int, choices=[(n, f"{n:02}:00") for n in range(24)], initial=8)
    time_zone = forms.ChoiceField(label="Your time zone")
    to = forms.ChoiceField(label="Sent to")

    def __init__(self, data: Any = None, *, user: Any, may_post: bool) -> None:
        zone = Organisation.get().time_zone
        super().__init__(data, initial={"time_zone": zone, "cadence": "weekly", "weekday": 1, "hour": 8, "to": MINE})
        self.views = {str(one.pk): one for one in seen_by(user)}
        self.channels = {str(one.pk): one for one in Channel.objects.filter(archived_at=None)} if may_post else {}
        self._choose("view", [("", "Everything I may see"), *((pk, one.name) for pk, one in self.views.items())])
        self.fields["view"].required = False
        self._choose("time_zone", [(one, one.replace("_", " ")) for one in sorted({*zones(), zone})])
        mine = f"Me, {user.email}" if user.email else "Me (your account has no e-mail address)"
        self._choose("to", [(MINE, mine), *((pk, f"Channel {one.name}") for pk, one in self.channels.items())])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def values(self) -> ReportValues:
        typed = self.cleaned_data
        return ReportValues(
            view=self.views.get(typed["view"]),
            cadence=typed["cadence"],
            weekday=typed["weekday"],
            hour=typed["hour"],
            time_zone=typed["time_zone"],
            channel=self.channels.get(typed["to"]),
        )
