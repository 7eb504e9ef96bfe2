"""The forms of the key pages: what was typed, checked, as the values that `change` takes."""

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.html import format_html

from budgets.access.change import KeyValues
from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import ApiKey, Organisation, Team
from budgets.pages.moments import day_year

SCOPE_HINTS = {
    "ingest": "For gateways, agents and scripts that report their calls. It reads nothing.",
    "bundle": "For gateways that ask before each call what is allowed.",
    "read": "For reports and spreadsheets: spend, budgets, workflows. It changes nothing.",
    "request": "For agents and gateways that ask people for a better model or a bigger budget. It decides nothing.",
    "admin": "Changes budgets, workflows, prices and keys without a person. Give it to few, with an expiry.",
}
SCOPES = [
    (value, format_html('<span class="keep">{}</span> <span class="hint">{}</span>', label, SCOPE_HINTS[value]))
    for value, label in ApiKey.Scope.choices
]
EXPIRIES = (("90", "In 90 days"), ("365", "In a year"), ("30", "In 30 days"), ("7", "In 7 days"), ("never", "Never"))
ON = ("on", "On a day you choose")
OVERLAPS = (
    (24, "1 day"),
    (1, "1 hour"),
    (72, "3 days"),
    (168, "7 days"),
    (720, "30 days"),
    (0, "None: it stops at once"),
)


class KeyForm(forms.Form):
    """A new key."""

    name = forms.CharField(
        max_length=128,
        help_text="What it is for, so that people recognise it: “Production gateway”.",
        error_messages={"required": "Say what the key is for."},
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=SCOPES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that the key may do."},
    )
    source = forms.CharField(
        max_length=128,
        required=False,
        help_text="Who sends with it. Empty: named like the key. Keys of one source count as one sender.",
        widget=forms.TextInput({"autocomplete": "off", "list": "sources"}),
    )
    also = forms.CharField(
        label="May also send for",
        max_length=2_000,
        required=False,
        help_text="Other sources that its events may name, with commas between.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    teams = forms.MultipleChoiceField(
        label="Only for these teams",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="It reads, changes and asks only for what is theirs. None chosen: everything.",
    )
    expires = forms.ChoiceField(label="It expires", choices=[*EXPIRIES, ON])
    expires_on = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput({"type": "date"}),
        error_messages={"invalid": "Write the day as year-month-day, such as 2027-01-31."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams: Any = self.fields["teams"]
        teams.choices = list(Team.objects.order_by("name").values_list("slug", "name"))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("expires") == "on" and not cleaned.get("expires_on") and "expires_on" not in self.errors:
            self.add_error("expires_on", "Choose the key’s last day.")
        return cleaned

    def expires_at(self) -> datetime | None:
        """The end that was chosen: days from now, or the end of a day of the organisation's."""
        chosen = self.cleaned_data["expires"]
        if chosen == "on":
            last: date = self.cleaned_data["expires_on"]
            return day_starts_at(last + DAY, Organisation.get().zone)
        return None if chosen == "never" else timezone.now() + timedelta(days=int(chosen))

    def values(self) -> KeyValues:
        also = [name.strip() for name in self.cleaned_data["also"].split(",")]
        return KeyValues(
            self.cleaned_data["name"],
            tuple(self.cleaned_data["scopes"]),
            tuple(name for name in also if name),
            self.expires_at(),
            tuple(self.cleaned_data["teams"]),
        )


class KeyChangeForm(KeyForm):
    """Another name, other rights, another end. The source stays, since it is part of every event's identity."""

    reason = forms.CharField(
        label="Why", max_length=500, required=False, help_text="Kept in the history with your name."
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, key: ApiKey, organisation: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["source"]
        self.kept = key.expires_at
        last = None if key.expires_at is None else day_of(key.expires_at - timedelta(microseconds=1), organisation.zone)
        now = "As now: never" if last is None else f"As now: {day_year(last)}"
        expires: Any = self.fields["expires"]
        expires.choices = [("keep", now), *EXPIRIES, ON]

    def expires_at(self) -> datetime | None:
        return self.kept if self.cleaned_data["expires"] == "keep" else super().expires_at()


class RotateForm(forms.Form):
    """How long the old key goes on beside the new one."""

    overlap = forms.TypedChoiceField(
        label="The old key goes on working for",
        choices=OVERLAPS,
        coerce=int,
        help_text="Time to put the new key into every gateway that has the old one.",
    )
    reason = forms.CharField(
        label="Why", max_length=500, required=False, help_text="Kept in the history with your name."
    )


class RevokeForm(forms.Form):
    """Why a key ends."""

    reason = forms.CharField(
        label="Why",
        max_length=500,
        help_text="Kept in the history with your name, such as “left in a public repository”.",
        error_messages={"required": "Say in a few words why it is revoked; whoever looks for it later will ask."},
    )


class RenameForm(forms.Form):
    """A source's name for people."""

    name = forms.CharField(max_length=128, error_messages={"required": "A source needs a name."})
