"""Which past calls a draft is tried on."""

from datetime import date, datetime, timedelta
from typing import Any

from django import forms

from budgets.limits.calendar import DAY, day_starts_at
from budgets.models import Organisation, Workflow
from routing.replay.take import LONGEST
from usage.prices.pages.days import DayField

OFFERED = 500  # workflows in the field's list; any other is typed


class PreviewForm(forms.Form):
    """Days are the organisation's, both included. A workflow by its name or short name."""

    first_day = DayField(label="First day")
    last_day = DayField(label="Last day")
    workflow = forms.CharField(
        label="Workflow",
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"list": "preview-workflows", "autocomplete": "off"}),
        help_text="Empty: all of them.",
    )

    def clean_workflow(self) -> str:
        """The short name of the workflow that its calls count as."""
        typed = " ".join(self.cleaned_data["workflow"].replace("\0", "").split())
        if not typed:
            return ""
        rows = Workflow.objects.select_related("merged_into")
        found = rows.filter(slug=typed).first() or rows.filter(name__iexact=typed).order_by("pk").first()
        if found is None:
            raise forms.ValidationError("There is no such workflow. Choose one from the list.")
        return (found.merged_into or found).slug

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = values.get("first_day"), values.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", "The last day must not come before the first.")
        elif first and last and last - first >= LONGEST:
            self.add_error("last_day", f"One preview covers at most {LONGEST.days} days.")
        return values

    def window(self, organisation: Organisation) -> tuple[datetime, datetime]:
        """From midnight to midnight, in the organisation's zone."""
        zone = organisation.zone
        first, last = self.cleaned_data["first_day"], self.cleaned_data["last_day"]
        return day_starts_at(first, zone), day_starts_at(last + DAY, zone)


def last_month(today: date) -> tuple[date, date]:
    """Its first and last day."""
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


def offered() -> list[tuple[str, str]]:
    """Short name and name of workflows to choose from, by name."""
    rows = Workflow.objects.filter(merged_into=None).order_by("name", "slug").values_list("slug", "name")
    return list(rows[:OFFERED])
