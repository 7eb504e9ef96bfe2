"""The form of a rule: every condition and every result, as people write them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from django import forms

from budgets.pages.moments import DAYS
from routing.policy import written
from routing.policy.document import LISTS, Conditions, Policy, Rule, Span, TimeOfDay
from routing.policy.outcome_form import FIRST_RESULTS, OF_RESULT, OutcomeForm, outcome_values, text
from routing.policy.words import LABELS, Names, plain

LONGEST_NAME: Final = 128
LONGEST_ID: Final = 64
FIRST_CONDITIONS: Final = ("workflow", "stage", "task_type", "risk_category", "tokens_from", "tokens_below")
COMMON_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "stage": ("draft", "refine", "verify", "publish"),
    "task_type": ("classification", "extraction", "generation", "reasoning"),
    "environment": ("production", "staging", "development", "test"),
}
LIST_HINTS: Final = {
    "workflow": "One of these; with commas between.",
    "team": "The team of the workflow.",
    "stage": "Such as draft, refine, verify, publish.",
    "task_type": "Such as extraction or reasoning.",
    "risk_category": "Of the workflow, or of the call itself.",
    "environment": "Such as production or staging.",
    "user": "As your calls name them.",
    "user_tier": "As your calls name them, such as free or gold.",
    "application": "As your calls name them.",
    "domain": "Subject, such as finance or health.",
}
# Field pair → the condition, who reads it, and the label of the two.
SPANS: Final = {
    "input_tokens": ("tokens", written.whole, "Input of at least, in tokens", "Input below, in tokens"),
    "estimated_cost_nano": ("cost", written.dollars, "Expected cost of at least, $", "Expected cost below, $"),
    "complexity": ("complexity", written.share, "Complexity of at least", "Complexity below"),
    "business_value": ("value", written.decimal, "Business value of at least", "Business value below"),
}
SPAN_HINTS: Final = {
    "complexity": "From 0 to 1, as a router judged the call.",
    "value": "The weight of the workflow, 0.5 to 5.",
    "tokens": "2,000 tokens are about 1,500 words.",
    "cost": "US dollars for one call, such as 0.05.",
}
DAY_CHOICES: Final = [(str(number), day) for number, day in enumerate(DAYS, start=1)]
SECONDS_OUT = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class RuleForm(OutcomeForm):
    """`rule(policy)` after `is_valid`. `names` turns what people call workflows and teams into short names."""

    name = forms.CharField(
        label="Name", max_length=LONGEST_NAME, error_messages={"required": "Give the rule a name, such as Final copy."}
    )
    days = forms.MultipleChoiceField(
        label="On these days", required=False, choices=DAY_CHOICES, widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: every day.",
    )  # fmt: skip
    time_from = forms.CharField(label="From", required=False, max_length=8, widget=SECONDS_OUT)
    time_to = forms.CharField(label="To", required=False, max_length=8, widget=SECONDS_OUT)

    def __init__(self, *args: Any, policy: Policy, names: Names, zone_words: str = "", **kwargs: Any) -> None:
        super().__init__(*args, policy=policy, without="As it would be without this rule", **kwargs)
        self.names = names
        for kind in LISTS:
            label = LABELS[kind][:1].upper() + LABELS[kind][1:]
            self.fields[kind] = text(label, LIST_HINTS[kind], most=26_000)
            self.fields[kind].widget.attrs["list"] = f"{kind}-list"
        for stem, _, at_least, below in SPANS.values():
            self.fields[f"{stem}_from"] = text(at_least, SPAN_HINTS[stem], decimal=True)
            self.fields[f"{stem}_below"] = text(below, "", decimal=True)
        if zone_words:
            self.fields["time_to"].help_text = f"Time in {zone_words}. Over midnight is fine: 22:00 to 06:00."
        self.have_checked()

    def made(self) -> None:
        super().made()
        _ = self.conditions

    @property
    def conditions(self) -> Conditions:
        known = {"workflow": self.names.workflows, "team": self.names.teams}
        said: dict[str, Any] = {
            kind: self.understood(kind, partial(written.names, known=known.get(kind))) or [] for kind in LISTS
        }
        said |= {name: self._span(stem, reader) for name, (stem, reader, _, _) in SPANS.items()}
        return Conditions(**said, time_of_day=self._time())

    def _span(self, stem: str, reader: Any) -> Span | None:
        at_least = self.understood(f"{stem}_from", reader)
        below = self.understood(f"{stem}_below", reader)
        try:
            return written.span(at_least, below)
        except ValueError as error:
            self.add_error(f"{stem}_below", str(error))
            return None

    def _time(self) -> TimeOfDay | None:
        start, to = self.understood("time_from", written.clock), self.understood("time_to", written.clock)
        days = sorted(int(day) for day in self.cleaned_data.get("days") or [])
        if start and to:
            return TimeOfDay(start, to, days)
        if start or to:
            missing = "time_to" if start else "time_from"
            if missing not in self.errors:
                self.add_error(missing, "Say both: from when and until when.")
            return None
        return TimeOfDay("00:00", "00:00", days) if days else None

    def rule(self, rule_id: str) -> Rule:
        """The rule as typed."""
        return Rule(rule_id, self.cleaned_data["name"].strip(), self.conditions, self.outcome)

    @property
    def more_conditions_open(self) -> bool:
        """Whether one of the conditions that are folded away is used or wrong."""
        return self._uses([name for name in self.condition_names if name not in FIRST_CONDITIONS])

    @property
    def more_results_open(self) -> bool:
        return self._uses([name for name in OF_RESULT if name not in FIRST_RESULTS])

    @property
    def condition_names(self) -> list[str]:
        ends = [f"{stem}_{end}" for stem, *_ in SPANS.values() for end in ("from", "below")]
        return [*LISTS, *ends, "days", "time_from", "time_to"]

    def _uses(self, fields: Iterable[str]) -> bool:
        return any(self[name].value() or name in self.errors for name in fields)

    def offers(self) -> dict[str, list[tuple[str, str]]]:
        """Values to choose from by condition: what is typed so far, with each one that could come next."""
        known: dict[str, Mapping[str, str]] = {"workflow": self.names.workflows, "team": self.names.teams}
        known |= {kind: dict.fromkeys(values, "") for kind, values in COMMON_VALUES.items()}
        return {kind: continued(str(self[kind].value() or ""), known.get(kind, {})) for kind in LISTS}


def continued(typed: str, known: Mapping[str, str]) -> list[tuple[str, str]]:
    """(what would stand in the field, words): a browser's list offers whole values, so what is there comes first."""
    before, comma, _ = typed.rpartition(",")
    there = {part.strip() for part in before.split(",")}
    start = f"{before.strip()}, " if comma else ""
    return [(start + value, words) for value, words in known.items() if value not in there]


def first_values(rule: Rule) -> dict[str, Any]:
    """A rule as its form shows it."""
    when = rule.when
    values: dict[str, Any] = {kind: written.shown_names(getattr(when, kind)) for kind in LISTS}
    showing = {"input_tokens": written.shown_tokens, "estimated_cost_nano": written.shown_dollars}
    for name, (stem, *_) in SPANS.items():
        span: Span = getattr(when, name) or Span()
        show = showing.get(name, _shown_number)
        values |= {f"{stem}_from": show(span.at_least), f"{stem}_below": show(span.below)}
    time = when.time_of_day
    if time:
        values |= {"time_from": time.start, "time_to": time.to, "days": [str(day) for day in time.days]}
    return {"name": rule.name} | values | outcome_values(rule.then)


def _shown_number(value: int | str | None) -> str:
    return "" if value is None else plain(str(value))


def new_id(name: str, taken: Iterable[str]) -> str:
    """A short id of the rule's name that no other rule has: "final-copy", "final-copy-2"."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")[: LONGEST_ID - 6].strip("-") or "rule"
    used = set(taken)
    if stem not in used:
        return stem
    return next(f"{stem}-{n}" for n in range(2, len(used) + 3) if f"{stem}-{n}" not in used)
