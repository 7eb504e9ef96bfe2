"""One past call as the ledger has it, and what its caller asked for. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from tokenops_sdk.asking import Request, RunSoFar

NO_RUN = RunSoFar()


class PastCall(msgspec.Struct, frozen=True, gc=False):
    """What a replay needs of a call. `cost` in nano-dollars with its corrections; None: unknown, never free.

    `workflow` is the one that it counts as. Empty text and None: not stated.
    """

    id: int
    time: datetime
    workflow: str
    team: str
    run_id: str | None
    step: int | None
    attempt: int | None
    step_kind: str | None
    stage: str
    task_type: str
    domain: str | None
    environment: str
    operation: str
    application: str | None
    user: str | None
    user_tier: str | None
    customer: str | None
    tags: Mapping[str, str] | None
    provider: str
    model: str
    requested_model: str | None
    tier: int
    grant_id: str | None
    measured: bool
    input_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    context: Mapping[str, int] | None
    retrieved_chunks: int | None
    tools_exposed: int | None
    service_tier: str
    status: str
    units: Mapping[str, Any] | None
    cost: int | None


class RunTotals(msgspec.Struct):
    """What a run used so far, by what one policy let through."""

    steps: int = 0
    by_kind: dict[str, int] = {}
    tokens: int = 0
    cost: int = 0

    def so_far(self) -> RunSoFar:
        """Before the next call."""
        return RunSoFar(self.steps, dict(self.by_kind), self.tokens, self.cost)

    def add(self, call: PastCall, cost: int | None) -> None:
        """A call that was made; a repeated attempt is no new step. An unknown cost counts as nothing."""
        first = (call.attempt or 1) == 1
        if first:
            self.steps += 1
            if call.step_kind:
                self.by_kind[call.step_kind] = self.by_kind.get(call.step_kind, 0) + 1
        self.steps = max(self.steps, call.step or 0)
        self.tokens += (call.input_tokens or 0) + (call.output_tokens or 0)
        self.cost += cost or 0


def request_of(call: PastCall, provider: str, model: str, run: RunSoFar = NO_RUN) -> Request:
    """What the caller of `call` asked, for `model` of `provider`; what it put out stands for what it expected."""
    return Request(
        workflow=call.workflow,
        run_id=call.run_id or "",
        step=call.step,
        attempt=call.attempt or 1,
        step_kind=call.step_kind or "",
        stage=call.stage,
        task_type=call.task_type,
        domain=call.domain or "",
        environment=call.environment or "production",
        operation=call.operation or "chat",
        application=call.application or "",
        user=call.user or "",
        user_tier=call.user_tier or "",
        customer=call.customer or "",
        team=call.team,
        tags=call.tags or {},
        provider=provider,
        model=model,
        input_tokens=call.input_tokens,
        context=call.context or {},
        output_tokens=call.output_tokens,
        retrieved_chunks=call.retrieved_chunks,
        tools_exposed=call.tools_exposed,
        run=run,
        batch=call.service_tier == "batch",
        grant_id=call.grant_id or "",
    )
