"""What is asked of the decision, and what it answers: docs/decision.md, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ACTIONS = ("allow", "downgrade", "human_review", "throttle", "summarize", "require_approval", "block")  # ever severer
MAY_CALL = frozenset({"allow", "downgrade", "human_review", "throttle"})
CACHES = ("prompt", "semantic", "response", "retrieval", "embedding")


@dataclass(frozen=True, slots=True)
class RunSoFar:
    """Totals of a run before this call; `cost_nano` in nano-dollars."""

    steps: int = 0
    steps_by_kind: Mapping[str, int] = field(default_factory=dict)
    tokens: int = 0
    cost_nano: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One call that somebody wants to make. Empty text and None mean: not said."""

    workflow: str = "unassigned"
    run_id: str = ""
    step: int | None = None
    attempt: int = 1
    step_kind: str = ""
    stage: str = ""
    task_type: str = ""
    domain: str = ""
    environment: str = "production"
    operation: str = "chat"
    application: str = ""
    user: str = ""
    user_tier: str = ""
    customer: str = ""
    team: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    risk_flags: tuple[str, ...] = ()
    provider: str = ""
    model: str = ""
    tier: int | None = None
    input_tokens: int | None = None
    context: Mapping[str, int] = field(default_factory=dict)
    output_tokens: int | None = None
    max_output_tokens: int | None = None
    retrieved_chunks: int | None = None
    tools_exposed: int | None = None
    run: RunSoFar = RunSoFar()
    complexity: str | None = None
    quality: str | None = None
    latency_ms: int | None = None
    max_cost_nano: int | None = None
    batch: bool = False
    grant_id: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding. `code` is stable; `values` fill the sentence `text`."""

    code: str
    action: str
    values: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a provider."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of one call."""

    action: str
    workflow: str
    tier: int | None
    default_tier: int | None
    provider: str | None
    model: str | None
    fallbacks: tuple[Model, ...]
    review: bool
    max_output_tokens: int | None
    cache: tuple[str, ...]
    similarity_floor: str | None
    fresh_seconds: int | None
    batch: bool
    grant_id: str | None
    per_minute: int | None
    leases: tuple[Mapping[str, Any], ...]
    estimated_cost_nano: int | None
    reasons: tuple[Reason, ...]
    changes: tuple[Mapping[str, Any], ...]
    revision: str
    policy_version: int

    @property
    def allowed(self) -> bool:
        """Whether the call may be made now."""
        return self.action in MAY_CALL
