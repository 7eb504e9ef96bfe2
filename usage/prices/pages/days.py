"""A day in a form."""

from datetime import date
from typing import Any

from django import forms

FIRST, LAST = date(2000, 1, 1), date(2199, 12, 31)


class DayField(forms.DateField):
    """A day of this century or the next; its midnight can be told in every time zone."""

    def __init__(self, **options: Any) -> None:
        errors = {"invalid": "Choose a day.", "required": "Choose a day.", **options.pop("error_messages", {})}
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}), error_messages=errors, **options)

    def clean(self, value: Any) -> Any:
        day = super().clean(value)
        if day is not None and not FIRST <= day <= LAST:
            raise forms.ValidationError(f"Choose a day from {FIRST.year} to {LAST.year}.")
        return day
