"""The form of another AI cost: what people type, understood."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from babel.core import get_global
from babel.numbers import format_currency, get_currency_name
from django import forms

from budgets.models import NANO, CurrencyRate
from budgets.pages.amounts import MINUS, WRITTEN
from budgets.pages.named import team_choices, team_named, workflow_named, workflow_offers
from usage.costs.edit import MOST_MONTHS
from usage.costs.spread import month_end
from usage.costs.values import CostValues
from usage.models import OtherCost

DAY = {"type": "date"}


def written_amount(text: str) -> int:
    """Billionths of a currency for "1,500", "1500.50", "-20"; ValueError carries the sentence to show."""
    bare = text.strip().replace(" ", "").replace("\u00a0", "").replace("\u2060", "").replace("−", "-")
    sign, bare = (-1, bare[1:]) if bare.startswith("-") else (1, bare)
    if not bare:
        raise ValueError("Enter an amount.")
    if len(bare) > 40 or not WRITTEN.fullmatch(bare):
        raise ValueError("Write the amount like 1,500 or 1500.50, without a currency sign.")
    value = Decimal(bare.replace(",", "")) * NANO
    if value != value.to_integral_value():
        raise ValueError("Write at most nine digits after the point.")
    return sign * int(value)


def typed_amount(amount: int) -> str:
    """The same the other way round, every digit."""
    whole, _, rest = f"{Decimal(abs(amount)) / NANO:,.9f}".rstrip("0").partition(".")
    return f"{'-' if amount < 0 else ''}{whole}{'.' + rest.ljust(2, '0') if rest else ''}"


def money(amount: int, currency: str) -> str:
    """ "€1,000.00" for billionths of any currency."""
    return str(format_currency(Decimal(amount) / NANO, currency, locale="en_US")).replace("-", MINUS, 1)


def currency_choices() -> list[Any]:
    """Dollars and those with a rate first, every other after them. One statement."""
    rated = sorted(set(CurrencyRate.objects.order_by().values_list("currency", flat=True).distinct()))
    ready = ["USD", *rated]
    others = sorted(set(get_global("all_currencies")) - set(ready))
    return [
        ("With a rate", [(code, named(code)) for code in ready]),
        ("Without a rate yet", [(code, named(code)) for code in others]),
    ]


def named(code: str) -> str:
    return f"{code} · {get_currency_name(code, locale='en_US')}"


class CostForm(forms.Form):
    """`values` after `is_valid`."""

    name = forms.CharField(label="What it is", max_length=200, help_text="For example “Writing assistant, 25 seats”.")
    kind = forms.ChoiceField(label="Kind", choices=OtherCost.Kind.choices)
    amount = forms.CharField(
        label="Amount for its days", max_length=40, widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text="Credits are taken off, with or without a minus.",
    )  # fmt: skip
    currency = forms.ChoiceField(label="Currency", help_text="Converted to US dollars at the rate of its first day.")
    first_day = forms.DateField(label="First day", widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"))
    last_day = forms.DateField(
        label="Last day",
        widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"),
        help_text="It counts evenly over its days.",
    )
    months = forms.IntegerField(
        label="Months to enter", min_value=1, max_value=MOST_MONTHS, initial=1, required=False,
        help_text="More than one: the same again each following month. You see all of them before they are saved.",
    )  # fmt: skip
    team = forms.ChoiceField(label="Team", required=False)
    workflow = forms.CharField(
        label="Workflow", required=False, max_length=128, widget=forms.TextInput(attrs={"list": "workflows-list"})
    )
    vendor = forms.CharField(label="Vendor", required=False, max_length=128)
    reference = forms.CharField(label="Invoice number or the like", required=False, max_length=128)
    note = forms.CharField(label="Note", required=False, max_length=500)

    def __init__(self, *args: Any, once: bool = False, **kwargs: Any) -> None:
        """`once`: an existing cost, which is not repeated."""
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["currency"].choices = currency_choices()
        fields["team"].choices = team_choices("The whole organisation")
        self.workflows: Callable[[], list[tuple[str, str]]] = workflow_offers
        if once:
            del self.fields["months"]

    def clean_amount(self) -> int:
        try:
            return written_amount(self.cleaned_data["amount"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_team(self) -> int | None:
        wanted = self.cleaned_data["team"]
        team = team_named(wanted) if wanted else None
        return team.pk if team else None

    def clean_workflow(self) -> int | None:
        wanted = self.cleaned_data["workflow"].strip()
        if not wanted:
            return None
        found = workflow_named(wanted)
        if found is None:
            raise forms.ValidationError(f"There is no workflow called “{wanted}”.")
        return int(found.pk)

    @property
    def values(self) -> CostValues:
        sent = self.cleaned_data
        known = {name: sent[name] for name in CostValues.__slots__ if name in sent}
        return CostValues(**known, team_id=sent["team"], workflow_id=sent["workflow"])

    def refuse(self, problems: dict[str, str]) -> None:
        """Put what the domain found wrong beside its fields."""
        for name, sentence in problems.items():
            self.add_error(name if name in self.fields else None, sentence)


def first_values(today: date) -> dict[str, Any]:
    """A new cost: this month's, in dollars."""
    return {"first_day": today.replace(day=1), "last_day": month_end(today), "kind": "seats", "currency": "USD"}


def typed_values(row: OtherCost) -> dict[str, Any]:
    """A cost as its form shows it. Reads `row.team` and `row.workflow`."""
    known = {name: getattr(row, name) for name in CostValues.__slots__ if not name.endswith("_id")}
    return known | {
        "amount": typed_amount(row.amount),
        "team": row.team.slug if row.team else "",
        "workflow": row.workflow.slug if row.workflow else "",
    }
