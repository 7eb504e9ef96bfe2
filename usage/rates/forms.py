"""The forms of currency rates."""

from typing import Any

from django import forms

from budgets.currency.rates import RateValues
from budgets.models import CurrencyRate

EXAMPLE = "day,currency,rate\n2026-11-02,EUR,0.92"


class RateForm(forms.Form):
    """One rate by hand. What a rate may be is said by `budgets.currency.rates.validate`."""

    currency = forms.CharField(
        label="Currency", max_length=3, help_text="Its code, for example EUR.",
        widget=forms.TextInput(attrs={"list": "currencies", "autocomplete": "off", "maxlength": 3}),
    )  # fmt: skip
    day = forms.DateField(
        label="From day on", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="It holds until the next day that has a rate.",
    )  # fmt: skip
    per_dollar = forms.DecimalField(
        label="One US dollar buys", widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text="In that currency, for example 0.92. At most eight digits after the point.",
    )  # fmt: skip
    origin = forms.CharField(
        label="Where it is from", required=False, max_length=100, help_text="For example ECB, or your bank."
    )

    @property
    def values(self) -> RateValues:
        return RateValues(**self.cleaned_data)

    def refuse(self, problems: dict[str, str]) -> None:
        for name, sentence in problems.items():
            self.add_error(name if name in self.fields else None, sentence)


class PasteForm(forms.Form):
    """Several rates as text; they go the way of every import."""

    text = forms.CharField(
        label="Rates as CSV", max_length=200_000, strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "placeholder": EXAMPLE}),
        help_text="With a first line day, currency, rate; or the ECB's table (eurofxref-hist).",
    )  # fmt: skip


def typed_values(row: CurrencyRate) -> dict[str, Any]:
    return {
        "currency": row.currency,
        "day": row.day,
        "per_dollar": f"{row.per_dollar.normalize():f}",
        "origin": row.origin,
    }
