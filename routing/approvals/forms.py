"""The forms of asking: for better models, for a bigger budget."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from budgets.approvals.facts import Asked
from budgets.models import NANO, Budget, Workflow
from routing.models import Tier


def _area(label: str, hint: str = "") -> forms.CharField:
    return forms.CharField(
        label=label, help_text=hint, max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why, so that whoever decides can: one or two sentences."},
    )  # fmt: skip


def _choice(label: str, missing: str) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, error_messages={"required": missing})


def dollars(text: str) -> int | None:
    """Nano-dollars of what was typed; None for nothing. ValidationError."""
    tidy = text.strip().lstrip("$").replace(",", "").strip()
    if not tidy:
        return None
    try:
        value = Decimal(tidy)
        if not value.is_finite() or not 0 < value < Decimal(10) ** 9 or value != value.quantize(Decimal("0.01")):
            raise InvalidOperation
    except InvalidOperation:
        raise forms.ValidationError("Write an amount in US dollars above zero, such as 250 or 99.50.") from None
    return int(value * NANO)


class AskForm(forms.Form):
    """`asked` after `is_valid`. What each value may be is said by `budgets.approvals.open`, for the API too."""

    def refuse(self, problems: dict[str, str]) -> None:
        """Show what the room says beside its field."""
        for name, said in problems.items():
            self.add_error(name if name in self.fields else None, said)


class PremiumForm(AskForm):
    """A tier above the usual one, for a workflow or a part of it."""

    kind = "premium"
    workflow = _choice("Workflow", "Choose the workflow this is for.")
    tier = _choice("Which models", "Choose which models.")
    runs = forms.IntegerField(
        label="For how many runs", required=False, min_value=1, max_value=10**9, help_text="One run is one go of it."
    )
    ceiling = forms.CharField(
        label="At most, in US dollars", required=False, max_length=20, help_text="It ends when that much was spent."
    )
    until = forms.DateTimeField(
        label="Until", required=False, help_text="Empty: seven days from the decision.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )  # fmt: skip
    run_id = forms.CharField(label="Only for this run", required=False, max_length=200)
    user = forms.CharField(label="Only for this person’s calls", required=False, max_length=200)
    reason = _area("Why", "What is it for, and why is the usual model not enough?")

    def __init__(self, *args: Any, workflows: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone
        named: list[tuple[str, str]] = [(row.slug, row.name) for row in workflows]
        tiers = [(str(one.number), f"{one.name} models") for one in Tier.objects.order_by("-number")]
        self.fields["workflow"].choices = [("", "Choose a workflow"), *named]  # type: ignore[attr-defined]
        self.fields["tier"].choices = tiers  # type: ignore[attr-defined]

    def clean_ceiling(self) -> int | None:
        return dollars(self.cleaned_data["ceiling"])

    @property
    def asked(self) -> Asked:
        values = self.cleaned_data
        until: datetime | None = values["until"]
        return Asked(
            kind=self.kind,
            reason=values["reason"],
            workflow=values["workflow"],
            tier=int(values["tier"]) if values["tier"] else None,
            runs=values["runs"],
            ceiling=values["ceiling"],
            wanted_until=until.replace(tzinfo=self.zone) if until else None,
            run_id=values["run_id"],
            user=values["user"],
        )


class BudgetForm(AskForm):
    """A bigger amount for a budget."""

    kind = "budget"
    budget = _choice("Budget", "Choose the budget that should be bigger.")
    amount = forms.CharField(
        label="New amount", max_length=30, error_messages={"required": "Give the amount that the budget should have."},
        help_text="In US dollars for money; a whole number of tokens or calls otherwise.",
    )  # fmt: skip
    reason = _area("Why", "What came up that was not planned?")

    def __init__(self, *args: Any, budgets: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.budgets: dict[str, Budget] = {row.slug: row for row in budgets}
        named: list[tuple[str, str]] = [(slug, row.name) for slug, row in self.budgets.items()]
        self.fields["budget"].choices = [("", "Choose a budget"), *named]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The amount in the chosen budget's metric."""
        values = super().clean() or self.cleaned_data
        budget = self.budgets.get(values.get("budget", ""))
        text = str(values.get("amount", ""))
        if budget is None or budget.metric == Budget.Metric.MONEY:
            try:
                values["amount"] = dollars(text)
            except forms.ValidationError as error:
                self.add_error("amount", error)
            return values
        whole = text.strip().replace(",", "")
        if whole and not (whole.isascii() and whole.isdecimal() and len(whole) < 19):
            self.add_error("amount", "Write a whole number above zero.")
        else:
            values["amount"] = int(whole) if whole else None
        return values

    @property
    def asked(self) -> Asked:
        values = self.cleaned_data
        return Asked(kind=self.kind, reason=values["reason"], budget=values["budget"], amount=values["amount"])


def workflows_to_ask_for(rows: Any) -> Any:
    """Those that calls are made of: neither reserved nor out of use nor another's name."""
    status = Workflow.Status
    return rows.exclude(status__in=[status.RESERVED, status.IGNORED]).filter(merged_into=None).order_by("name")


def budgets_to_ask_for(rows: Any) -> Any:
    return rows.exclude(status=Budget.Status.ARCHIVED).order_by("name")
