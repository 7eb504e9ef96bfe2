"""The form of "Try it": a call's facts as people write them, and what it makes of them for the decision."""

from typing import Any

from django import forms
from tokenops_sdk.asking import Request
from tokenops_sdk.wire import OPERATIONS, RequestRefused, read_request

from routing.policy import written
from routing.policy.document import Policy
from routing.policy.outcome_form import CheckedForm, models_by_tier, sorted_tiers, split, text
from routing.policy.rule_form import COMMON_VALUES
from routing.policy.words import Names

FIRST = ("workflow", "stage", "task_type", "asked", "input_tokens", "output_tokens")
MORE = (
    "environment", "risks", "user", "user_tier", "application", "domain", "max_output_tokens", "complexity", "quality",
    "latency", "max_cost", "operation", "batch", "customer", "tags", "history", "retrieval", "retrieved_chunks",
    "tools_exposed", "run_steps", "run_tokens", "run_cost",
)  # fmt: skip
# The decision's field → the form's, where they differ.
FIELD_OF = {
    "risk_flags": "risks", "latency_ms": "latency", "max_cost_nano": "max_cost", "run.steps": "run_steps",
    "run.tokens": "run_tokens", "run.cost_nano": "run_cost", "provider": "asked", "model": "asked", "tier": "asked",
}  # fmt: skip
TIER = "tier:"  # before a tier's number, where a tier and not a model is asked for


class TryForm(CheckedForm):
    """`request` after `is_valid`. Nothing has to be filled in."""

    workflow = text("Workflow", "", most=128)
    stage = text("Stage", "", most=128)
    task_type = text("Task type", "", most=128)
    environment = text("Environment", "Left empty: production.", most=128)
    asked = forms.ChoiceField(label="Asks for", required=False)
    input_tokens = text("Input, in tokens", "2,000 tokens are about 1,500 words.", decimal=True)
    output_tokens = text("Expected answer, in tokens", "", decimal=True)
    max_output_tokens = text("Longest answer, in tokens", "The limit that the caller sets.", decimal=True)
    risks = text("Risks", "Beside those of the workflow; with commas between.", most=2000)
    user = text("User", "", most=128)
    user_tier = text("User tier", "", most=128)
    application = text("Application", "", most=128)
    domain = text("Domain", "", most=128)
    complexity = text("Complexity", "From 0 to 1.", decimal=True)
    quality = text("Quality of at least", "From 0 to 1.", decimal=True)
    latency = text("Answer within, in seconds", "", decimal=True)
    max_cost = text("At most, in US dollars", "", decimal=True)
    operation = forms.ChoiceField(
        label="Kind of work", required=False, choices=[("", "chat"), *((one, one) for one in OPERATIONS[1:])]
    )
    batch = forms.BooleanField(label="Nobody waits for it", required=False)
    customer = text("Customer", "", most=128)
    tags = text("Tags", "Such as campaign=spring; with commas between.", most=4000)
    history = text("Earlier turns, in tokens", "Part of the input.", decimal=True)
    retrieval = text("Looked-up text, in tokens", "Part of the input.", decimal=True)
    retrieved_chunks = text("Looked-up passages", "", decimal=True)
    tools_exposed = text("Tools that it offers", "", decimal=True)
    run_steps = text("Steps of the run so far", "", decimal=True)
    run_tokens = text("Tokens of the run so far", "", decimal=True)
    run_cost = text("Cost of the run so far, in US dollars", "", decimal=True)

    def __init__(self, *args: Any, policy: Policy, names: Names, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names = names
        self.request = Request()
        tiers = [(f"{TIER}{one.number}", one.name) for one in sorted_tiers(policy)]
        groups = [("A tier", tiers)] if tiers else []
        choices = [("", "Whatever the rules give"), *groups, *models_by_tier(sorted_tiers(policy))]
        asked: Any = self.fields["asked"]
        asked.choices = choices
        for kind in ("workflow", *COMMON_VALUES):
            self.fields[kind].widget.attrs["list"] = f"{kind}-list"

    def clean(self) -> dict[str, Any]:
        said = self._facts()
        if not self.errors:
            try:
                self.request = read_request(said)
            except RequestRefused as refused:
                self.refuse({FIELD_OF.get(name, name): sentence for name, sentence in refused.problems.items()})
        return self.cleaned_data

    def _facts(self) -> dict[str, Any]:
        stated = self.cleaned_data
        names = (
            "stage",
            "task_type",
            "environment",
            "user",
            "user_tier",
            "application",
            "domain",
            "operation",
            "customer",
        )
        facts: dict[str, Any] = {name: (stated.get(name) or "").strip() for name in names}
        workflow = self.understood("workflow", lambda typed: written.names(typed, self.names.workflows)) or []
        if len(workflow) > 1:
            self.add_error("workflow", "Name one workflow.")
        facts |= {"workflow": workflow[0] if workflow else ""}
        wholes = ("input_tokens", "output_tokens", "retrieved_chunks", "tools_exposed")
        facts |= {name: self.understood(name, written.count) for name in wholes}
        layers = {name: self.understood(name, written.count) for name in ("history", "retrieval")}
        facts |= {"context": {name: tokens for name, tokens in layers.items() if tokens is not None}}
        facts |= {"tags": self.understood("tags", written.pairs)}
        facts |= {"max_output_tokens": self.understood("max_output_tokens", written.tokens)}
        facts |= {name: self.understood(name, written.share) for name in ("complexity", "quality")}
        facts |= {"latency_ms": self.understood("latency", written.milliseconds)}
        facts |= {"max_cost_nano": self.understood("max_cost", written.dollars)}
        facts |= {"risk_flags": self.understood("risks", written.names), "batch": bool(stated.get("batch"))}
        facts["run"] = {
            "steps": self.understood("run_steps", written.count),
            "tokens": self.understood("run_tokens", written.count),
            "cost_nano": self.understood("run_cost", written.dollars),
        }
        asked = stated.get("asked") or ""
        if asked.startswith(TIER):
            return facts | {"tier": int(asked.removeprefix(TIER))}
        provider, model = split(asked)
        return facts | {"provider": provider, "model": model}

    @property
    def more_open(self) -> bool:
        """Whether one of the facts that are folded away is said or wrong."""
        return any(self[name].value() or name in self.errors for name in MORE)

    def offers(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Values to choose from, by field."""
        common = [(kind, [(value, "") for value in values]) for kind, values in COMMON_VALUES.items()]
        return [("workflow", list(self.names.workflows.items())), *common]
