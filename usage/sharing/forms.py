"""What people type about pools, understood; what may be is said by `budgets.pools`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms

from budgets.limits.edit import BudgetValues
from budgets.models import Budget, Team
from budgets.pages import amounts

OLD, NEW = "old", "new"
PERCENT_WORDS = "Write a share as a percentage from 0 to 100, like 25 or 12.5."


def typed_share(text: str) -> Decimal | None:
    """Percent as people write it → 0 to 1; None for an empty field. ValueError carries the sentence."""
    bare = text.strip().removesuffix("%").strip()
    if not bare:
        return None
    try:
        share = Decimal(bare)
    except InvalidOperation:
        raise ValueError(PERCENT_WORDS) from None
    if not share.is_finite() or not 0 <= share <= 100:
        raise ValueError(PERCENT_WORDS)
    if share != share.quantize(Decimal("0.01")):
        raise ValueError("Write at most two digits after the point.")
    return share / 100


def share_text(share: Decimal | None) -> str:
    """As it stands in a field: "12.5"."""
    return "" if share is None else f"{share * 100:.2f}".rstrip("0").rstrip(".")


def named_budget(text: str) -> Budget:
    """The live budget that is called so, by short name or name. ValueError carries the sentence."""
    text = text.strip()
    if not text:
        raise ValueError("Choose a budget.")
    live = Budget.objects.exclude(status=Budget.Status.ARCHIVED)
    found = list(live.filter(slug=text)) or list(live.filter(name__iexact=text)[:2])
    if not found:
        raise ValueError(f"There is no budget “{text}”.")
    if len(found) > 1:
        raise ValueError(f"Several budgets are called “{text}”. Give the short name, as in the budget’s address.")
    return found[0]


def _checked(form: forms.Form, name: str, read: Any) -> Any:
    """`read` the field's text; what is wrong with it becomes the field's error."""
    try:
        return read(form.cleaned_data.get(name) or "")
    except ValueError as error:
        form.add_error(name, str(error))
        return None


class SharingForm(forms.Form):
    """How a pool is shared out."""

    sharing = forms.ChoiceField(
        label="How it is shared",
        choices=[
            ("fixed", "By fixed share: each budget gets its percentage"),
            ("demand", "By value weight and recent use: who needs it and is worth it gets more"),
        ],
        widget=forms.RadioSelect,
        initial="demand",
    )
    shares_nightly = forms.BooleanField(
        label="Share it out anew each night",
        required=False,
        help_text="Without it nothing changes until somebody looks at a preview and confirms it.",
    )


class PoolForm(SharingForm):
    """A new pool: a budget that is there, or a new one."""

    which = forms.ChoiceField(
        label="Which budget is shared out",
        choices=[(OLD, "A budget that is there already"), (NEW, "A new one")],
        widget=forms.Select,
        initial=OLD,
    )
    budget = forms.CharField(
        label="Budget",
        max_length=128,
        widget=forms.TextInput(attrs={"list": "candidates", "autocomplete": "off"}),
        error_messages={"required": "Choose a budget."},
    )
    name = forms.CharField(
        label="Name",
        max_length=128,
        error_messages={"required": "Give the pool a name that its readers know, for example “Marketing, monthly”."},
    )
    covers = forms.ChoiceField(label="What it covers", required=False)
    metric = forms.ChoiceField(
        label="Counted in", choices=[("money", "US dollars"), ("tokens", "Tokens"), ("calls", "Calls")], initial="money"
    )
    amount = forms.CharField(
        label="Amount",
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": "Enter an amount."},
    )
    period = forms.ChoiceField(label="Time", choices=Budget.Period.choices[:5], initial="month")
    field_order = ["which", "budget", "name", "covers", "metric", "amount", "period", "sharing", "shares_nightly"]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        covers: Any = self.fields["covers"]
        covers.choices = [("", "Whole company"), *Team.objects.values_list("slug", "name")]
        if self.is_bound:
            unneeded = ("name", "amount", "metric", "period") if self.data.get("which") == OLD else ("budget",)
            for name in unneeded:
                self.fields[name].required = False
        self.chosen: Budget | None = None
        self.values: BudgetValues | None = None

    def clean(self) -> dict[str, Any]:
        """`chosen` is the budget that is there, or `values` what the new one shall be."""
        stated = self.cleaned_data
        if stated.get("which") == OLD:
            self.chosen = _checked(self, "budget", named_budget) if "budget" in stated else None
            return stated
        metric = stated.get("metric", "money")
        amount = None
        if "amount" in stated:
            amount = _checked(self, "amount", lambda text: amounts.written(text, metric))
        if amount is not None and stated.get("name"):
            covers = stated.get("covers")
            self.values = BudgetValues(
                name=stated["name"],
                amount=amount,
                scope={"team": covers} if covers else {},
                metric=metric,
                period=stated.get("period", "month"),
            )
        return stated


class JoinForm(forms.Form):
    """Put a budget into a pool."""

    budget = forms.CharField(
        label="Budget",
        max_length=128,
        widget=forms.TextInput(attrs={"list": "candidates", "autocomplete": "off"}),
        error_messages={"required": "Choose a budget."},
    )
    share = forms.CharField(
        label="Share in percent",
        required=False,
        max_length=10,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """`budget` becomes the budget, `share` 0 to 1 or None."""
        stated = self.cleaned_data
        if "budget" in stated:
            stated["budget"] = _checked(self, "budget", named_budget)
        stated["share"] = _checked(self, "share", typed_share)
        return stated


@dataclass
class SharesForm:
    """The share fields of a pool's table, named `share-<budget id>`: what was typed, what is wrong, what it means."""

    typed: dict[int, str] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    shares: dict[int, Decimal | None] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def read(cls, post: Mapping[str, str]) -> "SharesForm":
        form = cls()
        for name, text in post.items():
            kind, _, number = name.partition("-")
            if kind != "share" or not (number.isascii() and number.isdecimal() and len(number) < 18):
                continue
            form.typed[int(number)] = text[:20]
            try:
                form.shares[int(number)] = typed_share(text[:20])
            except ValueError as error:
                form.errors[int(number)] = str(error)
        return form
