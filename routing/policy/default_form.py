"""The form of what no rule says: the default, calls for models of no tier, daily amounts."""

from typing import Any, Final

from django import forms

from routing.policy import written
from routing.policy.document import Policy
from routing.policy.outcome_form import OF_RESULT, OutcomeForm, outcome_values
from routing.policy.shape import MOST_ENVIRONMENTS, problem_with_name

UNLISTED: Final = (
    ("allow", "goes through as asked"),
    ("replace", "is served by the tier that it would have without asking"),
    ("block", "is refused"),
)


class DefaultForm(OutcomeForm):
    """`changed()` after `is_valid`."""

    unlisted_models = forms.ChoiceField(
        label="A call for a model that is in no tier", choices=UNLISTED, widget=forms.RadioSelect,
        help_text="Chat and completion only. Other work, such as images, goes through as asked.",
    )  # fmt: skip
    daily_tokens = forms.CharField(
        label="Tokens a day for each workflow", required=False, max_length=8000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="One environment a line, such as staging: 200,000. A * stands for every one but production.",
    )  # fmt: skip

    def __init__(self, *args: Any, policy: Policy, **kwargs: Any) -> None:
        super().__init__(*args, policy=policy, without="As the workflow has it", **kwargs)
        self.fields["tier"].label = "Tier of workflows that have none of their own"
        self.choose("tier", [("", "The cheapest"), *self.fields["tier"].choices[1:]])  # type: ignore[attr-defined]
        self.have_checked()

    def clean_daily_tokens(self) -> dict[str, int]:
        try:
            return daily(self.cleaned_data["daily_tokens"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    @property
    def more_open(self) -> bool:
        """Whether one of the results that are folded away is used or wrong."""
        return any(self[name].value() or name in self.errors for name in OF_RESULT if name != "tier")

    def changed(self) -> dict[str, Any]:
        """The policy's fields that this form sets."""
        return {
            "otherwise": self.outcome,
            "unlisted_models": self.cleaned_data["unlisted_models"],
            "daily_tokens": self.cleaned_data["daily_tokens"],
        }


def daily(text: str) -> dict[str, int]:
    """Environment → tokens of "staging: 200,000" a line. Raises ValueError with a sentence."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        environment, colon, amount = (part.strip() for part in line.rpartition(":"))
        if not colon or not environment:
            raise ValueError(f"“{line.strip()[:40]}”: write the environment, a colon and the number: staging: 200,000.")
        if said := problem_with_name(environment):
            raise ValueError(said)
        try:
            tokens = written.tokens(amount)
        except ValueError as error:
            raise ValueError(f"{environment[:40]}: {error}") from None
        if tokens is None:
            raise ValueError(f"Say how many tokens a day in {environment[:40]}.")
        if environment in found:
            raise ValueError(f"{environment[:40]} stands there twice.")
        found[environment] = tokens
    if len(found) > MOST_ENVIRONMENTS:
        raise ValueError(f"At most {MOST_ENVIRONMENTS} environments.")
    return found


def first_values(policy: Policy) -> dict[str, Any]:
    """As the form shows it."""
    lines = [f"{environment}: {tokens:,}" for environment, tokens in sorted(policy.daily_tokens.items())]
    return outcome_values(policy.otherwise) | {
        "unlisted_models": policy.unlisted_models,
        "daily_tokens": "\n".join(lines),
    }
