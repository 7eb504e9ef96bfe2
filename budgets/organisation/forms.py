"""The organisation's form: each field with what changing it does, in words."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from babel.core import get_global
from babel.numbers import get_currency_name
from django import forms

from budgets.models import CurrencyRate, Organisation
from budgets.organisation.edit import FIELDS

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@cache
def zones() -> tuple[str, ...]:
    """Every zone that is a region's, for the field's list."""
    return tuple(sorted(one for one in available_timezones() if one == "UTC" or ("/" in one and one[:4] != "Etc/")))


def currency_choices() -> list[Any]:
    """The dollar and those with a rate, then all others, which are refused with what to do. One statement."""
    rated = sorted(set(CurrencyRate.objects.order_by().values_list("currency", flat=True).distinct()))
    ready = ["USD", *rated]
    others = sorted(set(get_global("all_currencies")) - set(ready))
    return [
        ("With a rate", [(code, _named(code)) for code in ready]),
        ("Without a rate", [(c, _named(c)) for c in others]),
    ]


def _named(code: str) -> str:
    return f"{code} · {get_currency_name(code, locale='en_US')}"


class OrganisationForm(forms.Form):
    """`changes` holds only what differs from what the page showed, so that others' edits stay."""

    name = forms.CharField(label="Name", max_length=128, help_text="Shown to the people who sign in here.")
    time_zone = forms.CharField(
        label="Time zone",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Where a day, a week and a month begin. Another one counts every budget anew. "
        "While days are closed it stays as it is.",
    )
    currency = forms.ChoiceField(
        label="Currency shown",
        help_text="Pages and CSV files show money in it at the newest rate. The ledger and the API keep US dollars.",
    )
    fiscal_year_starts = forms.TypedChoiceField(
        label="Fiscal year starts in",
        coerce=int,
        choices=list(enumerate(MONTHS, 1)),
        help_text="Quarters and years of budgets and plans follow it. Another month counts every budget anew.",
    )
    policy_needs_second = forms.BooleanField(
        label="A second person approves a new policy",
        required=False,
        help_text="Tiers and rules are in force only once somebody else has approved them. Going back to an earlier "
        "version needs nobody.",
    )
    reason = forms.CharField(
        label="Why", required=False, max_length=500, help_text="Kept in the history with your name."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["currency"].choices = currency_choices()

    def clean_time_zone(self) -> str:
        """Names are typed in any case: "europe/berlin"."""
        typed = str(self.cleaned_data["time_zone"]).strip().replace(" ", "_")
        return next((one for one in available_timezones() if one.casefold() == typed.casefold()), typed)

    @property
    def changes(self) -> dict[str, Any]:
        seen = {name: self.data.get(f"seen_{name}", "") for name in FIELDS}
        return {name: self.cleaned_data[name] for name in FIELDS if str(self.cleaned_data[name]) != seen[name]}

    def refuse(self, problems: dict[str, str]) -> None:
        for name, sentence in problems.items():
            self.add_error(name if name in self.fields else None, sentence)


def values_of(organisation: Organisation) -> dict[str, Any]:
    return {name: getattr(organisation, name) for name in FIELDS}


class CloseForm(forms.Form):
    """Up to which day; the page that follows says what that closes."""

    before = forms.DateField(
        label="Close all days before", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    reason = forms.CharField(label="Why", required=False, max_length=500)


class OpenForm(forms.Form):
    """From which day on; empty: everything."""

    before = forms.DateField(
        label="Keep closed the days before",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Empty: open all of them.",
    )
    reason = forms.CharField(label="Why", max_length=500, help_text="Kept in the history with your name.")
