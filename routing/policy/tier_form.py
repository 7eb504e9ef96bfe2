"""The form of a tier: its name, whether it needs approval, its models in order with what is typed in of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from django import forms

from routing.policy import written
from routing.policy.document import Policy, PolicyModel, PolicyTier
from routing.policy.outcome_form import CheckedForm
from routing.policy.shape import HIGHEST_TIER, LONGEST_NOTE, LONGEST_TIER_NAME, MOST_MODELS
from routing.policy.words import plain

T = TypeVar("T")
MOST_TYPED: Final = 200  # letters of a model's name, as the API would take them
Canonical = Callable[[str, str], tuple[str, str]]


@dataclass
class ModelRow:
    """A model as it stands in the form, with what is wrong."""

    provider: str
    model: str
    latency: str = ""
    quality: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"

    def read(self) -> PolicyModel:
        return PolicyModel(
            self.provider,
            self.model,
            self._read("latency", written.milliseconds),
            self._read("quality", written.share),
        )

    def _read(self, name: str, reader: Callable[[str], T]) -> T | None:
        try:
            return reader(getattr(self, name))
        except ValueError as error:
            self.errors[name] = str(error)
            return None


class TierForm(CheckedForm):
    """`tier()` after `is_valid`. What the buttons beside the models do is `arrange`'s; nothing is saved by that."""

    number = forms.IntegerField(
        label="Number",
        min_value=1,
        max_value=HIGHEST_TIER,
        help_text="Calls and reports name the tier by it: 1 is the cheapest. It stays as it is.",
        error_messages={"required": "Give the tier a number that no other has."},
    )
    name = forms.CharField(
        label="Name",
        max_length=LONGEST_TIER_NAME,
        error_messages={"required": "Give the tier a name, such as Premium."},
    )
    needs_approval = forms.BooleanField(
        label="Using it needs approval",
        required=False,
        help_text="Calls get it only with an allowance, which somebody approved.",
    )
    review_note = forms.CharField(
        label="Note for approvers", required=False, max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}), help_text="Shown beside each request to use this tier.",
    )  # fmt: skip
    add = forms.CharField(
        label="Add a model", required=False, max_length=MOST_TYPED,
        widget=forms.TextInput(attrs={"list": "models-list", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Provider and model, such as openai/gpt-4.1. Those of the price book are offered.",
    )  # fmt: skip

    def __init__(self, *args: Any, policy: Policy, tier: PolicyTier | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.policy, self.edited = policy, tier
        if tier is not None:
            del self.fields["number"]
        self.rows = rows_of_tier(tier) if not self.is_bound else rows_typed(self.data)

    def clean_number(self) -> int:
        number = int(self.cleaned_data["number"])
        if number in {one.number for one in self.policy.tiers}:
            raise forms.ValidationError(f"There is a tier {number} already. Choose another number.")
        return number

    def clean(self) -> dict[str, Any]:
        super().clean()
        if len(self.rows) > MOST_MODELS:
            self.add_error("add", f"A tier has at most {MOST_MODELS} models.")
        for row in self.rows:
            row.read()
        if wrong := sum(bool(row.errors) for row in self.rows):
            count = "one model" if wrong == 1 else f"{wrong} models"
            self.add_error(None, f"What is typed in of {count} needs a change.")
        return self.cleaned_data

    def tier(self) -> PolicyTier:
        """The tier as typed."""
        stated = self.cleaned_data
        return PolicyTier(
            number=self.edited.number if self.edited else stated["number"],
            name=stated["name"].strip(),
            models=[row.read() for row in self.rows],
            needs_approval=stated["needs_approval"],
            review_note=stated["review_note"].strip(),
        )

    def add_model(self, typed: str, canonical: Canonical) -> str:
        """Put a model at the end; what is wrong with it as a sentence, else ""."""
        try:
            provider, model = named(typed, canonical)
        except ValueError as error:
            return str(error)
        if (provider, model) in {(row.provider, row.model) for row in self.rows}:
            return f"{provider}/{model} is in this tier already."
        for other in self.policy.tiers:
            is_here = self.edited is not None and other.number == self.edited.number
            if not is_here and (provider, model) in {(one.provider, one.model) for one in other.models}:
                return f"{provider}/{model} is in {other.name}. A model belongs to one tier: take it out there first."
        if len(self.rows) >= MOST_MODELS:
            return f"A tier has at most {MOST_MODELS} models."
        self.rows.append(ModelRow(provider, model))
        return ""

    def arrange(self, act: str) -> str:
        """What a button beside a model does: "up-2", "down-0", "remove-1". What happened, for the reader; else ""."""
        what, _, place = act.partition("-")
        if not (place.isascii() and place.isdecimal() and int(place[:4]) < len(self.rows)):
            return ""
        at = int(place)
        row = self.rows[at]
        if what == "remove":
            del self.rows[at]
            return f"{row.name} is taken out. Nothing is saved yet."
        to = at + {"up": -1, "down": 1}.get(what, 0)
        if not 0 <= to < len(self.rows) or to == at:
            return ""
        self.rows.insert(to, self.rows.pop(at))
        return f"{row.name} is number {to + 1} now. Nothing is saved yet."


def named(typed: str, canonical: Canonical) -> tuple[str, str]:
    """A model that is typed in, with its provider; without one, by what the price book knows. Raises ValueError."""
    if "/" not in typed and typed.strip():
        provider, model = canonical("", typed.strip())
        if provider:
            return written.model(f"{provider}/{model}")
    return written.model(typed)


def rows_of_tier(tier: PolicyTier | None) -> list[ModelRow]:
    """The models as they are."""
    return [
        ModelRow(one.provider, one.model, written.shown_seconds(one.latency_ms), plain(one.quality or ""))
        for one in (tier.models if tier else [])
    ]


def rows_typed(post: Mapping[str, str]) -> list[ModelRow]:
    """The models as they came back with the form: `model_0`, `latency_0`, `quality_0`, and so on."""
    rows = []
    for n in range(MOST_MODELS + 1):
        name = post.get(f"model_{n}", "").replace("\0", "")[:MOST_TYPED]
        try:
            provider, model = written.model(name)
        except ValueError:
            continue
        said = {kind: post.get(f"{kind}_{n}", "").replace("\0", "")[:40] for kind in ("latency", "quality")}
        rows.append(ModelRow(provider, model, said["latency"], said["quality"]))
    return rows


def first_values(policy: Policy, tier: PolicyTier | None) -> dict[str, Any]:
    """A tier as its form shows it; of a new one the next number."""
    if tier is None:
        return {"number": max((one.number for one in policy.tiers), default=0) + 1}
    return {"name": tier.name, "needs_approval": tier.needs_approval, "review_note": tier.review_note}
