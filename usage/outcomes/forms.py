"""The form by which somebody says what became of a run."""

from decimal import Decimal
from typing import Any

from django import forms

from usage.models import OutcomeMessage, Run
from usage.outcomes.message import BEST_SCORE, MAX_CASES, MAX_REVENUE, MAX_REVIEW, MAX_SAVED, Outcome

NUMBER = {"inputmode": "decimal"}
KINDS = ", ".join(OutcomeMessage.Kind.labels)


def amount(label: str, most: Decimal | int, places: int = 2, help_text: str = "") -> forms.DecimalField:
    """A number that may be left empty."""
    return forms.DecimalField(
        label=label, min_value=0, max_value=most, decimal_places=places, required=False, help_text=help_text,
        widget=forms.TextInput(attrs=NUMBER),
    )  # fmt: skip


class OutcomeForm(forms.Form):
    """`said` after `is_valid`."""

    outcome = forms.ChoiceField(
        label="What became of it", choices=OutcomeMessage.Kind.choices, error_messages={
            "required": f"Say what became of it: {KINDS}.",
            "invalid_choice": f"“%(value)s” is no outcome. Use one of: {KINDS}.",
        },
    )  # fmt: skip
    reviewer = forms.CharField(label="Who reviewed it", max_length=128, required=False)
    review_minutes = amount("Minutes the review took", MAX_REVIEW)
    satisfaction = amount("Satisfaction, 0 to 5", BEST_SCORE, help_text="5 is best.")
    revenue_usd = amount("Revenue, US dollars", MAX_REVENUE, places=9, help_text="What it brought, if that is known.")
    minutes_saved = amount("Minutes saved", MAX_SAVED)
    cases = forms.IntegerField(label="Cases resolved", min_value=0, max_value=MAX_CASES, required=False)
    asset = forms.CharField(label="Asset", max_length=500, required=False, help_text="A link or an id of what it made.")
    misrouted = forms.BooleanField(label="It went to the wrong workflow, model or person", required=False)
    reason = forms.CharField(label="Reason", max_length=500, required=False, help_text="Kept in the history.")

    def said(self, run: Run, workflow: str) -> Outcome:
        """What was typed, about this run."""
        sent: dict[str, Any] = {
            name: value for name, value in self.cleaned_data.items() if name != "reason" and value not in (None, "")
        }
        # Not ticked says nothing, but where it was said before that it went astray.
        if not sent.get("misrouted"):
            sent["misrouted"] = False if run.misrouted else None
        return Outcome(run_id=run.run_id, workflow=workflow, **sent)
