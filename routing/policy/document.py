"""A whole policy as values: what a version's `document` holds, and what the bundle says of it. Pure.

What conditions and results mean stands in docs/decision.md. Shares are decimal text, money is nano-dollars. A condition
or result that is absent is `None` here and left out of the JSON, so that equal policies have equal documents.
"""

from typing import Any, Literal

import msgspec

UNLISTED = ("replace", "allow", "block")
LISTS = (
    "workflow", "team", "stage", "task_type", "risk_category", "environment", "user", "user_tier", "application",
    "domain",
)  # fmt: skip
SPANS = ("business_value", "complexity", "input_tokens", "estimated_cost_nano")


class PolicyModel(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A model of a tier. `latency_ms` (median) and `quality` (0 to 1) as typed in; null: as measured."""

    provider: str
    model: str
    latency_ms: int | None = None
    quality: str | None = None


class PolicyTier(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Models in order of preference, each the fallback of those before it."""

    number: int
    name: str
    models: list[PolicyModel]
    needs_approval: bool = False
    review_note: str = ""


class Span(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """From `at_least` on and `below`; whole numbers, or decimal text for shares and weights."""

    at_least: int | str | None = None
    below: int | str | None = None


class TimeOfDay(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """In the organisation's zone, "HH:MM". Days from Monday, 1, to Sunday, 7; empty: every day."""

    start: str
    to: str
    days: list[int] = []


class Conditions(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All that are named must hold; one of a list's values is enough."""

    workflow: list[str] = []
    team: list[str] = []
    stage: list[str] = []
    task_type: list[str] = []
    risk_category: list[str] = []
    environment: list[str] = []
    user: list[str] = []
    user_tier: list[str] = []
    application: list[str] = []
    domain: list[str] = []
    business_value: Span | None = None
    complexity: Span | None = None
    input_tokens: Span | None = None
    estimated_cost_nano: Span | None = None
    time_of_day: TimeOfDay | None = None


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a rule gives; absent: as it would be without the rule. An empty list of caches allows none."""

    tier: int | None = None
    provider: str | None = None
    model: str | None = None
    latency_ms: int | None = None
    quality: str | None = None
    max_cost_nano: int | None = None
    max_output_tokens: int | None = None
    cache: list[str] | None = None
    batch: bool | None = None
    review: bool | None = None


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`id` stays the same over versions, so that a decision's reason can be followed."""

    id: str
    name: str
    when: Conditions = Conditions()
    then: Outcome = Outcome()


class Policy(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`daily_tokens`: environment → tokens that each workflow may use there in a day, unless its own limits say; "*"
    stands for every environment but production. `unlisted_models`: what becomes of calls for a model of no tier.
    """

    tiers: list[PolicyTier] = []
    rules: list[Rule] = []
    otherwise: Outcome = Outcome()
    unlisted_models: Literal["replace", "allow", "block"] = "allow"
    daily_tokens: dict[str, int] = {}


def read(document: dict[str, Any]) -> Policy:
    """The policy of a stored document. Raises msgspec.ValidationError, which names the path, on what is none."""
    return msgspec.convert(document, Policy)


def written(policy: Policy) -> dict[str, Any]:
    """The document to store: what is absent is left out."""
    built: dict[str, Any] = msgspec.to_builtins(policy)
    return built
