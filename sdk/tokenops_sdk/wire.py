"""A request and a decision as JSON: docs/schemas/decision-v1.json. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any

from tokenops_sdk.asking import Decision, Request, RunSoFar

MAX_TEXT = 128
MAX_TOKENS = 100_000_000
MAX_COUNT = 2**31 - 1
MAX_NANO = 2**53 - 1
MAX_ENTRIES = {"tags": 32, "context": 16, "risk_flags": 32, "steps_by_kind": 64}
OPERATIONS = ("chat", "completion", "embedding", "rerank", "search", "image", "audio", "tool")

# Field → the least and the most that it may be.
WHOLES = {
    "step": (1, MAX_COUNT), "attempt": (1, MAX_COUNT), "tier": (1, 99), "input_tokens": (0, MAX_TOKENS),
    "output_tokens": (0, MAX_TOKENS), "max_output_tokens": (1, MAX_TOKENS), "retrieved_chunks": (0, MAX_COUNT),
    "tools_exposed": (0, MAX_COUNT), "latency_ms": (0, MAX_COUNT), "max_cost_nano": (0, MAX_NANO),
}  # fmt: skip
RUN = {"steps": (0, MAX_COUNT), "tokens": (0, MAX_NANO), "cost_nano": (0, MAX_NANO)}
FIELDS = frozenset(field.name for field in fields(Request))


class RequestRefused(ValueError):
    """The request says what cannot be; `problems` has a sentence for each field, nested ones as `run.steps`."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{name}: {sentence}" for name, sentence in problems.items()))
        self.problems = dict(problems)


def read_request(said: object) -> Request:
    """The request in a JSON object. null and "" mean: not said. Raises RequestRefused.

    An unknown field is refused: a condition that its sender misspelt would not be asked.
    """
    if not isinstance(said, Mapping):
        raise RequestRefused({"request": "Give an object with the call's facts."})
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in FIELDS:
            problems[str(name)[:64]] = "There is no such field."
        elif value is not None and not (isinstance(value, str) and not value):
            try:
                values[name] = _read(name, value)
            except RequestRefused as refused:
                problems |= refused.problems
            except ValueError as error:
                problems[name] = str(error)
    if problems:
        raise RequestRefused(problems)
    return Request(**values)


def write_decision(decision: Decision) -> dict[str, Any]:
    """The decision as JSON-ready values, `allowed` with them."""
    said: dict[str, Any] = {"action": decision.action, "allowed": decision.allowed}
    for field in fields(Decision):
        said.setdefault(field.name, getattr(decision, field.name))
    said["fallbacks"] = [{"provider": one.provider, "model": one.model} for one in decision.fallbacks]
    said["cache"] = list(decision.cache)
    said["leases"] = [dict(one) for one in decision.leases]
    said["changes"] = [dict(one) for one in decision.changes]
    said["reasons"] = [
        {"code": one.code, "action": one.action, "values": dict(one.values), "text": one.text}
        for one in decision.reasons
    ]
    return said


def _read(name: str, value: object) -> Any:
    if name in WHOLES:
        return _whole(value, *WHOLES[name])
    return READERS.get(name, _text)(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Say true or false.")
    return value


def _operation(value: object) -> str:
    if value not in OPERATIONS:
        raise ValueError(f"Choose from: {', '.join(OPERATIONS)}.")
    return str(value)


def _risks(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > MAX_ENTRIES["risk_flags"]:
        raise ValueError(f"Give a list of at most {MAX_ENTRIES['risk_flags']} texts.")
    return tuple(_text(one) for one in value)


def _tags(value: object) -> dict[str, str]:
    return {_text(key): _text(one) for key, one in _object("tags", value).items()}


def _context(value: object) -> dict[str, int]:
    return {_text(key): _whole(one, 0, MAX_TOKENS) for key, one in _object("context", value).items()}


def _run(value: object) -> RunSoFar:
    if not isinstance(value, Mapping):
        raise ValueError("Give an object with the run’s totals so far.")
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, one in value.items():
        try:
            if name == "steps_by_kind":
                values[name] = {_text(key): _whole(n, 0, MAX_COUNT) for key, n in _object(name, one or {}).items()}
            elif name not in RUN:
                raise ValueError("There is no such field.")
            elif one is not None:
                values[name] = _whole(one, *RUN[name])
        except ValueError as error:
            problems[f"run.{str(name)[:64]}"] = str(error)
    if problems:
        raise RequestRefused(problems)
    return RunSoFar(**values)


def _object(name: str, value: object) -> Mapping[object, object]:
    if not isinstance(value, Mapping) or len(value) > MAX_ENTRIES[name]:
        raise ValueError(f"Give an object of at most {MAX_ENTRIES[name]} entries.")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value:
        raise ValueError(f"Give a text of 1 to {MAX_TEXT} characters.")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("The text holds a character that is none.")
    return value


def _whole(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"Give a whole number from {least} to {most}.")
    return value


def _share(value: object) -> str:
    sentence = "Give decimal text from 0 to 1, for example “0.8”."
    if not isinstance(value, str) or len(value) > 32:
        raise ValueError(sentence)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(sentence) from None
    if not number.is_finite() or not 0 <= number <= 1:
        raise ValueError(sentence)
    return value


# What is not here is text.
READERS: Mapping[str, Callable[[object], Any]] = {
    "complexity": _share, "quality": _share, "batch": _flag, "operation": _operation, "risk_flags": _risks, "run": _run,
    "tags": _tags, "context": _context,
}  # fmt: skip
