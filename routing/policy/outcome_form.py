"""The part of a form that says what a rule, or the default, gives: from what is typed to `Outcome`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django import forms

from budgets.workflows.limit_kinds import CACHE_KINDS
from routing.policy import written
from routing.policy.document import Outcome, Policy, PolicyTier
from routing.policy.words import plain

T = TypeVar("T")
WITHOUT = "As it would be without"
CACHES_AS_BEFORE, CACHES_ONLY = "", "only"
YES, NO = "yes", "no"
OF_RESULT = (
    "tier", "model", "max_output_tokens", "review", "cache", "cache_kinds", "batch", "quality", "latency", "max_cost",
)  # fmt: skip
FIRST_RESULTS = OF_RESULT[:4]


def text(label: str, help_text: str, *, decimal: bool = False, most: int = 40, **kwargs: Any) -> forms.CharField:
    """A field for something typed; what it may be is said by `routing.policy.written`."""
    attributes = {"autocomplete": "off", "spellcheck": "false"} | ({"inputmode": "decimal"} if decimal else {})
    kwargs.setdefault("required", False)
    return forms.CharField(
        label=label, help_text=help_text, max_length=most, widget=forms.TextInput(attrs=attributes), **kwargs
    )


class CheckedForm(forms.Form):
    """A form each field of which is checked while it is typed in: the answer is its message line and the meaning.

    `check_url` is where; without one the form is checked only when it is sent.
    """

    def __init__(self, *args: Any, check_url: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.check_url = check_url

    def have_checked(self) -> None:
        """To be called once all fields are there."""
        if not self.check_url:
            return
        for name, one in self.fields.items():
            target = f"#{name}-err"
            one.widget.attrs |= {
                "hx-post": f"{self.check_url}?field={name}",
                "hx-trigger": "change, input changed delay:400ms",
                "hx-target": target,
                "hx-swap": "outerHTML",
                "hx-sync": "closest form:queue all",
            }

    def understood(self, name: str, reader: Callable[[str], T]) -> T | None:
        """What was typed in the field, by `reader`; None, and a sentence beside the field, where it makes no sense."""
        typed = self.cleaned_data.get(name) or ""
        try:
            return reader(typed)
        except ValueError as error:
            self.add_error(name, str(error))
            return None

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show beside its field what the room says; what belongs to no field above all."""
        for name, said in problems.items():
            self.add_error(name if name in self.fields else None, said)


class OutcomeForm(CheckedForm):
    """Fields of `OF_RESULT`; `outcome` after `is_valid`."""

    tier = forms.ChoiceField(label="Tier", required=False)
    model = forms.ChoiceField(
        label="One model of it",
        required=False,
        help_text="Otherwise the cheapest that meets what is wanted.",
    )
    max_output_tokens = text("Longest answer, in tokens", "1,000 tokens are about 750 words.", decimal=True)
    review = forms.ChoiceField(label="Does a person review the result?", required=False)
    cache = forms.ChoiceField(label="May a cache answer?", required=False)
    cache_kinds = forms.MultipleChoiceField(
        label="Which caches", required=False, choices=list(CACHE_KINDS.items()), widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: no cache may answer.",
    )  # fmt: skip
    batch = forms.ChoiceField(label="May it wait and go in a batch?", required=False)
    quality = text("Quality of at least", "From 0 to 1. Models without a figure do not count.", decimal=True)
    latency = text("Answer within, in seconds", "By what is usual for the model.", decimal=True)
    max_cost = text("At most a call, in US dollars", "By the estimate of the call.", decimal=True)

    def __init__(self, *args: Any, policy: Policy, without: str, current: Outcome | None = None, **kwargs: Any) -> None:
        """`current` is what is edited: a tier or model that it names and that is gone stays a choice."""
        super().__init__(*args, **kwargs)
        self.policy = policy
        gone_tier, gone_model = gone(current or Outcome(), policy)
        as_before = ("", without)
        self.choose("tier", [as_before, *((str(one.number), one.name) for one in sorted_tiers(policy)), *gone_tier])
        self.choose("model", [("", "The tier’s own choice"), *models_by_tier(policy.tiers), *gone_model])
        self.choose("review", [as_before, (YES, "Yes, a person looks at it"), (NO, "No")])
        self.choose("cache", [as_before, (CACHES_ONLY, "Only the caches chosen here")])
        self.choose("batch", [as_before, (YES, "Yes, nobody waits for it"), (NO, "No, never")])

    def choose(self, name: str, choices: Iterable[Any]) -> None:
        self.fields[name].choices = list(choices)  # type: ignore[attr-defined]

    @property
    def outcome(self) -> Outcome:
        stated = self.cleaned_data
        provider, model = split(stated.get("model") or "")
        return Outcome(
            tier=int(stated["tier"]) if stated.get("tier") else None,
            provider=provider or None,
            model=model or None,
            latency_ms=self.understood("latency", written.milliseconds),
            quality=self.understood("quality", written.share),
            max_cost_nano=self.understood("max_cost", written.dollars),
            max_output_tokens=self.understood("max_output_tokens", written.tokens),
            cache=list(stated.get("cache_kinds") or []) if stated.get("cache") == CACHES_ONLY else None,
            batch=said(stated.get("batch")),
            review=said(stated.get("review")),
        )

    def clean(self) -> dict[str, Any]:
        stated: dict[str, Any] = super().clean() or self.cleaned_data
        tier = next((one for one in self.policy.tiers if str(one.number) == stated.get("tier")), None)
        if tier and stated.get("model") and split(stated["model"]) not in {(m.provider, m.model) for m in tier.models}:
            self.add_error("model", f"{stated['model']} is not in {tier.name}. Choose one of its models.")
        self.made()
        return self.cleaned_data

    def made(self) -> None:
        """Read everything once, so that each field that makes no sense says so."""
        _ = self.outcome


def sorted_tiers(policy: Policy) -> list[PolicyTier]:
    """Cheapest first."""
    return sorted(policy.tiers, key=lambda one: one.number)


def models_by_tier(tiers: Iterable[PolicyTier]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Choices in groups, one for each tier that has models."""
    return [
        (tier.name, [(f"{m.provider}/{m.model}", f"{m.provider}/{m.model}") for m in tier.models])
        for tier in tiers
        if tier.models
    ]


def gone(current: Outcome, policy: Policy) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Choices for the tier and the model that are named and not there."""
    tier, model = current.tier, f"{current.provider}/{current.model}"
    is_tier = tier is None or tier in {one.number for one in policy.tiers}
    listed = {f"{one.provider}/{one.model}" for each in policy.tiers for one in each.models}
    return (
        [] if is_tier else [(str(tier), f"Tier {tier}, which is not there")],
        [] if not current.model or model in listed else [(model, f"{model}, which is in no tier")],
    )


def split(named: str) -> tuple[str, str]:
    provider, _, model = named.partition("/")
    return provider, model


def said(answer: str | None) -> bool | None:
    return None if not answer else answer == YES


def outcome_values(then: Outcome) -> dict[str, Any]:
    """An outcome as its fields show it."""
    return {
        "tier": "" if then.tier is None else str(then.tier),
        "model": f"{then.provider}/{then.model}" if then.model else "",
        "latency": written.shown_seconds(then.latency_ms),
        "quality": "" if then.quality is None else plain(then.quality),
        "max_cost": written.shown_dollars(then.max_cost_nano),
        "max_output_tokens": written.shown_tokens(then.max_output_tokens),
        "cache": CACHES_AS_BEFORE if then.cache is None else CACHES_ONLY,
        "cache_kinds": then.cache or [],
        "batch": _answer(then.batch),
        "review": _answer(then.review),
    }


def _answer(value: bool | None) -> str:
    return "" if value is None else (YES if value else NO)
