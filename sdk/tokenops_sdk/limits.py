"""What a workflow's limits (docs/limits.md) say of one call: what they find, and what they leave. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from tokenops_sdk.asking import CACHES, Model, Request

Limits = Mapping[str, Any]


def too_large(limits: Limits, request: Request, input_tokens: int | None) -> Iterator[tuple[str, str, str, int, int]]:
    """Parts of the call that are too large: code, part, unit, how much there is, how much there may be."""
    context = request.context
    for limit, code, part, unit, stated in (
        ("max_input_tokens", "input_too_long", "input", "tokens", input_tokens),
        ("max_history_tokens", "history_too_long", "history", "tokens", context.get("history")),
        ("max_retrieval_tokens", "retrieval_too_long", "retrieval", "tokens", context.get("retrieval")),
        ("max_retrieved_chunks", "too_many_chunks", "retrieved_chunks", "chunks", request.retrieved_chunks),
        ("max_tools_exposed", "too_many_tools", "tools_exposed", "tools", request.tools_exposed),
    ):
        most = limits.get(limit)
        if most is not None and stated is not None and stated > most:
            yield code, part, unit, stated, most


def too_many_steps(limits: Limits, request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """Which caps of the run this call would be above: code and values."""
    run, kind = request.run, request.step_kind
    most = limits.get("max_run_steps")
    step = run.steps + 1 if request.step is None else request.step
    if most is not None and step > most:
        yield "run_steps", {"step": step, "limit": most}
    most = limits.get("max_steps_by_kind", {}).get(kind)
    steps = run.steps_by_kind.get(kind, 0) + 1
    if most is not None and request.attempt == 1 and steps > most:
        yield "run_steps_kind", {"kind": kind, "steps": steps, "limit": most}
    most = limits.get("max_attempts_per_step")
    if most is not None and request.attempt > most:
        yield "run_attempts", {"attempt": request.attempt, "limit": most}


def may_use(limits: Limits, named: Model) -> bool:
    """Whether the limits leave the model to the workflow."""
    providers, models = limits.get("allowed_providers"), limits.get("allowed_models")
    return (not providers or named.provider in providers) and (not models or named.model in models)


def caches(limits: Limits, narrowed: frozenset[str] | None) -> tuple[str, ...]:
    """The kinds of cache that may answer, in the event's order; `narrowed`: those that the policy leaves, None: all."""
    kinds = limits.get("cache", {}).get("kinds", CACHES)
    return tuple(kind for kind in CACHES if kind in kinds and (narrowed is None or kind in narrowed))


def shared_counts(limits: Limits, daily: Mapping[str, int], slug: str, environment: str) -> list[dict[str, Any]]:
    """What is counted for all callers together and must be leased. `daily`: the policy's tokens a day."""
    found: list[dict[str, Any]] = []
    if "max_requests_per_minute" in limits:
        found.append({"kind": "calls", "workflow": slug})
    elsewhere = "*" in daily and environment != "production"
    if environment in limits.get("daily_tokens", ()) or environment in daily or elsewhere:
        found.append({"kind": "tokens", "workflow": slug, "environment": environment})
    return found
