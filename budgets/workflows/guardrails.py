"""The limits of one call or one run of a workflow: one table of them, what each may hold, and how it reads. Pure.

Stored as JSON in `Workflow.guardrails`, `{limit: value}`, with those that differ for a task type under
`{"by_task_type": {"extraction": {limit: value}}}`; the bundle carries it as it is. docs/limits.md is for readers.
A share or an amount of money is decimal text, as in every bundle.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from budgets.workflows.limit_kinds import KINDS, Kind, problem_with_name

BY_TASK_TYPE = "by_task_type"
SENSITIVE = "sensitive"
MOST_TASK_TYPES = 20
MOST_TOKENS = 100_000_000
COUNTED = {
    "call": "decided call by call",
    "run": "decided call by call, from the run’s totals that the caller states",
    "shared": "counted for all callers together, by leases from the server",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """`kind` is a key of KINDS; `least` and `most` bound its numbers, in `unit`. `counted` is a key of COUNTED.

    `says` is the sentence that a reader gets, with {} for the value in words.
    """

    name: str
    kind: str
    unit: str
    counted: str
    label: str
    says: str
    hint: str
    group: str
    least: int = 1
    most: int = MOST_TOKENS

    @property
    def of_kind(self) -> Kind:
        return KINDS[self.kind]

    def problem_with(self, value: object) -> str | None:
        """Why it cannot have this value, as a sentence."""
        return self.of_kind.problem_with(value, self.least, self.most, self.unit)

    def tidied(self, value: Any) -> Any:
        """The value in its one written form; None where it limits nothing."""
        return self.of_kind.tidied(value)

    def in_words(self, value: Any) -> str:
        return self.says.format(self.of_kind.in_words(value, self.unit))


ONE_CALL, ONE_RUN, RATES, CACHES, WHO = (
    "One call", "One run", "Rates and daily amounts", "Caches", "Review and models"
)  # fmt: skip
LIMITS: tuple[Limit, ...] = (
    Limit("max_output_tokens", "whole", "tokens", "call", "Longest answer", "Answers have at most {}.",
          "Tokens in one answer; 1,000 tokens are about 750 words.", ONE_CALL),
    Limit("max_input_tokens", "whole", "tokens", "call", "Largest input", "Inputs have at most {}.",
          "Tokens sent with one call, everything together.", ONE_CALL),
    Limit("max_history_tokens", "whole", "tokens", "call", "Most history", "Earlier turns take at most {} of a call.",
          "Tokens of earlier turns within the input.", ONE_CALL, least=0),
    Limit("max_retrieved_chunks", "whole", "passages", "call", "Most passages looked up",
          "A call brings at most {} that were looked up.", "Retrieved passages in one input.", ONE_CALL, 0, 10_000),
    Limit("max_retrieval_tokens", "whole", "tokens", "call", "Most text looked up",
          "Looked-up text has at most {}.", "Tokens of retrieved text in one input.", ONE_CALL, least=0),
    Limit("max_tools_exposed", "whole", "tools", "call", "Most tools offered", "A call is offered at most {}.",
          "Tools that the model may choose from.", ONE_CALL, 0, 1_000),
    Limit("max_run_money", "money", "US dollars", "run", "Most money in a run", "A run may cost at most {}.",
          "US dollars for all calls of one run.", ONE_RUN, 0, 1_000_000),
    Limit("max_run_tokens", "whole", "tokens", "run", "Most tokens in a run", "A run uses at most {}.",
          "Input and output of all its calls.", ONE_RUN, most=100_000_000_000),
    Limit("max_run_steps", "whole", "steps", "run", "Most steps in a run", "A run takes at most {}.",
          "Stops agents that go round in circles.", ONE_RUN, 1, 100_000),
    Limit("max_steps_by_kind", "wholes", "steps", "run", "Most steps of a kind", "Of its steps, at most {}.",
          "Kind and number, with commas between: retrieve 3, troubleshoot 2.", ONE_RUN, 0, 100_000),
    Limit("max_attempts_per_step", "whole", "attempts", "run", "Most attempts at a step", "A step has at most {}.",
          "The first one counts too: 3 means two repeats.", ONE_RUN, 1, 1_000),
    Limit("max_requests_per_minute", "whole", "calls", "shared", "Most calls a minute", "At most {} a minute.",
          "Of all callers together.", RATES, 1, 1_000_000),
    Limit("daily_tokens", "wholes", "tokens", "shared", "Most tokens a day", "Each day, at most {}.",
          "Environment and number, with commas between: production 2000000, staging 100000.", RATES,
          most=100_000_000_000),
    Limit("cache", "cache", "", "call", "May be answered from a cache", "{}.",
          "Never for a sensitive workflow, nor for a call that is marked sensitive.", CACHES),
    Limit("human_review", "names", "risk categories", "call", "A person reviews what is",
          "A person reviews what is {}.", "Risk categories, with commas between: irreversible, public.", WHO),
    Limit("allowed_providers", "names", "providers", "call", "Only these providers", "Only models of {}.",
          "With commas between: openai, anthropic. Empty: all of them.", WHO),
    Limit("allowed_models", "names", "models", "call", "Only these models", "Only the models {}.",
          "As your calls name them, with commas between. Empty: all of them.", WHO),
)  # fmt: skip
BY_NAME: Mapping[str, Limit] = {limit.name: limit for limit in LIMITS}


def problems_with(guardrails: object, risks: tuple[str, ...] = ()) -> dict[str, str]:
    """Path → sentence for what cannot be saved: "max_run_steps", "by_task_type.extraction.max_run_steps"."""
    if not isinstance(guardrails, Mapping):
        return {"guardrails": "Give the limits as an object of names and values."}
    found = dict(_problems_with_flat({k: v for k, v in guardrails.items() if k != BY_TASK_TYPE}, risks))
    by_type = guardrails.get(BY_TASK_TYPE, {})
    if not isinstance(by_type, Mapping):
        return found | {BY_TASK_TYPE: "Give an object of task types, each with its own limits."}
    if len(by_type) > MOST_TASK_TYPES:
        found[BY_TASK_TYPE] = f"Let limits differ for at most {MOST_TASK_TYPES} task types."
    for task_type, own in list(by_type.items())[:MOST_TASK_TYPES]:
        said = problem_with_name(task_type)
        if said:
            found[BY_TASK_TYPE] = f"A task type is named wrongly. {said}"
        elif not isinstance(own, Mapping):
            found[f"{BY_TASK_TYPE}.{task_type}"] = "Give an object of limits."
        else:
            # What holds for this task type in the end: its own before the workflow's.
            found |= {
                f"{BY_TASK_TYPE}.{task_type}.{name}": sentence
                for name, sentence in _problems_with_flat(own, risks, {**guardrails, **own})
            }
    return found


def _problems_with_flat(
    stated: Mapping[Any, Any], risks: tuple[str, ...], effective: Mapping[Any, Any] | None = None
) -> Iterator[tuple[str, str]]:
    for name, value in stated.items():
        limit = BY_NAME.get(name)
        if limit is None:
            yield str(name)[:64], f"There is no limit called “{str(name)[:64]}”. Choose from: {', '.join(BY_NAME)}."
        elif value is not None and (said := limit.problem_with(value)):
            yield name, said
    whole = effective or stated
    history, most = whole.get("max_history_tokens"), whole.get("max_input_tokens")
    if "max_history_tokens" in stated and isinstance(history, int) and isinstance(most, int) and history > most:
        yield "max_history_tokens", "History is part of the input, so it cannot be larger than the largest input."
    cache = stated.get("cache")
    if SENSITIVE in risks and isinstance(cache, Mapping) and cache.get("kinds"):
        yield "cache", "A sensitive workflow is never answered from a cache. Leave this empty, or take the risk off."


def tidied(guardrails: Mapping[str, Any]) -> dict[str, Any]:
    """The same in its one written form: what limits nothing is gone, the table's order, amounts as plain text."""
    flat = _tidied_flat(guardrails)
    by_type = {str(one): _tidied_flat(own) for one, own in sorted(guardrails.get(BY_TASK_TYPE, {}).items())}
    kept = {one: own for one, own in by_type.items() if own}
    return flat | ({BY_TASK_TYPE: kept} if kept else {})


def _tidied_flat(stated: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: limit.tidied(stated[name]) for name, limit in BY_NAME.items() if stated.get(name) is not None}
    return {name: value for name, value in values.items() if value is not None}


def known(guardrails: Mapping[str, Any]) -> dict[str, Any]:
    """What of free-form JSON a reader of bundles can rely on: limits that exist, with values that they may have."""
    found = _known_flat(guardrails)
    by_type = guardrails.get(BY_TASK_TYPE)
    if isinstance(by_type, Mapping):
        kept = {
            one: flat
            for one, own in by_type.items()
            if not problem_with_name(one) and isinstance(own, Mapping) and (flat := _known_flat(own))
        }
        found |= {BY_TASK_TYPE: kept} if kept else {}
    return found


def _known_flat(stated: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in stated.items()
        if (limit := BY_NAME.get(name)) and value is not None and not limit.problem_with(value)
    }


@dataclass(frozen=True, slots=True)
class Said:
    """One limit as a reader gets it. `task_type` is empty where it holds for all of them."""

    limit: Limit
    words: str
    task_type: str = ""


def in_words(guardrails: Mapping[str, Any]) -> list[Said]:
    """Every limit that is set, in the table's order; then those of each task type."""
    stated = known(guardrails)
    found = [Said(limit, limit.in_words(stated[name])) for name, limit in BY_NAME.items() if name in stated]
    for task_type, own in stated.get(BY_TASK_TYPE, {}).items():
        found += [Said(limit, limit.in_words(own[name]), task_type) for name, limit in BY_NAME.items() if name in own]
    return found
