"""`Run`: one go of an agent. Counts what it has used, asks before each call, and so stops at the workflow's limits."""

import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tokenops_sdk.asking import Decision, Request, RunSoFar
from tokenops_sdk.client import PolicyClient
from tokenops_sdk.following import Held
from tokenops_sdk.reporter import UsageReporter
from tokenops_sdk.slices import need_of

REMEMBERED = 1000  # recorded calls that may be asked for again


class Policy(Protocol):
    """What a run needs of a client."""

    def decide(self, request: Request) -> Decision:
        """What the policy says of the call."""

    def settle(
        self, decision: Decision, *, cost_nano: int | None = None, tokens: int | None = None, made: bool = True
    ) -> None:
        """Say what a call came to."""

    @property
    def held(self) -> Held | None:
        """The bundle that is obeyed."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that was asked for, with what it counts in the run until it is known better."""

    request: Request
    decision: Decision
    tokens: int
    cost_nano: int


class AnyRun:
    """What both kinds of runs are. Safe for threads: calls that are asked for at once each count.

    A call counts as a step, with its estimate of tokens and money, from when it is allowed. `facts` are those of a
    `Request` that hold for all calls of the run (`stage`, `user`, `environment`, …). With a `reporter`, `record` sends
    the event too. `so_far` is where an earlier process left the run (`run.so_far()` there).
    """

    def __init__(
        self,
        client: Policy,
        workflow: str,
        *,
        run_id: str | None = None,
        reporter: UsageReporter | None = None,
        so_far: RunSoFar | None = None,
        **facts: Any,
    ) -> None:
        self.run_id = run_id or uuid.uuid4().hex
        self._policy = client
        self._reporter = reporter
        self._facts = Request(workflow=workflow, run_id=self.run_id, **facts)
        self._so_far = so_far or RunSoFar()
        self._lock = threading.Lock()
        self._asked: dict[int, Begun] = {}  # by the identity of the decision that the caller holds
        self._under_way: set[int] = set()
        self._recorded: deque[int] = deque()

    def so_far(self) -> RunSoFar:
        """The run's totals, calls under way included."""
        with self._lock:
            return self._so_far

    def record(
        self,
        decision: Decision,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cost_nano: int | None = None,
        made: bool = True,
        **measured: Any,
    ) -> bool:
        """Say what the call that `ask` allowed came to, once.

        Tokens are those that went in and came out in all; money is nano-dollars, and without it by the bundle's price
        of the model. What is not known stays as it was estimated. `made` False: it never went out, so nothing counts.
        `measured` are further fields of the event (`status`, `latency_ms`, `model` as served, …). Whether the event is
        in the spool; False without a reporter.
        """
        with self._lock:
            if id(decision) not in self._under_way:
                return False
            self._under_way.discard(id(decision))
            begun = self._asked[id(decision)]
            self._recorded.append(id(decision))
            if len(self._recorded) > REMEMBERED:
                del self._asked[self._recorded.popleft()]
            known = input_tokens is not None and output_tokens is not None
            tokens = (input_tokens or 0) + (output_tokens or 0) if known else begun.tokens
            if cost_nano is None and known:
                cost_nano = self._price(decision, measured, input_tokens or 0, output_tokens or 0)
            cost = begun.cost_nano if cost_nano is None else cost_nano
            if made:
                self._add(tokens - begun.tokens, cost - begun.cost_nano)
            else:
                self._add(-begun.tokens, -begun.cost_nano)
                self._count_step(begun.request, -1)
        self._policy.settle(decision, cost_nano=cost_nano, tokens=tokens if known else None, made=made)
        if self._reporter is None or not made:
            return False
        counts = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        given = {name: value for name, value in counts.items() if value is not None}
        return self._reporter.record_call(begun.request, decision, **given, **measured)

    # Counting

    def _begin(self, again: Decision | None, facts: Mapping[str, Any]) -> Begun:
        """Decide, and count the call if it is allowed: in one, so that no two calls take the last step."""
        with self._lock:
            request = self._request(again, facts)
            decision = self._policy.decide(request)
            begun = Begun(request, decision, need_of("tokens", request, decision), decision.estimated_cost_nano or 0)
            if decision.allowed:
                self._count_step(request, 1)
                self._add(begun.tokens, begun.cost_nano)
            return begun

    def _begun(self, begun: Begun, final: Decision | None) -> Decision:
        """What the caller gets. What could not be reserved, or was given up meanwhile (None), is not counted."""
        with self._lock:
            if final is not None and final.allowed:
                self._asked[id(final)] = replace(begun, decision=final)  # which keeps its identity taken
                self._under_way.add(id(final))
            elif begun.decision.allowed:
                self._count_step(begun.request, -1)
                self._add(-begun.tokens, -begun.cost_nano)
        return final if final is not None else begun.decision

    def _request(self, again: Decision | None, facts: Mapping[str, Any]) -> Request:
        if again is None:
            return replace(self._facts, **{"step": self._so_far.steps + 1, "run": self._so_far, **facts})
        if id(again) not in self._asked:
            raise ValueError("Ask again for a call of this run that was allowed before.")
        before = self._asked[id(again)].request
        return replace(before, **{"attempt": before.attempt + 1, "run": self._so_far, **facts})

    def _count_step(self, request: Request, by: int) -> None:
        if request.attempt > 1:
            return
        kinds = dict(self._so_far.steps_by_kind)
        if request.step_kind:
            kinds[request.step_kind] = max(0, kinds.get(request.step_kind, 0) + by)
        self._so_far = replace(self._so_far, steps=max(0, self._so_far.steps + by), steps_by_kind=kinds)

    def _add(self, tokens: int, cost_nano: int) -> None:
        so_far = self._so_far
        self._so_far = replace(
            so_far, tokens=max(0, so_far.tokens + tokens), cost_nano=max(0, so_far.cost_nano + cost_nano)
        )

    def _price(self, decision: Decision, measured: Mapping[str, Any], sent: int, back: int) -> int | None:
        """Nano-dollars by the bundle's price of the model that served; None where it has none."""
        held = self._policy.held
        model = measured.get("model") or decision.model
        if held is None or not model:
            return None
        found = held.prepared.place_of(measured.get("provider") or decision.provider or "", model)
        return found[1].cost(sent, back) if found is not None else None


class Run(AnyRun):
    """One go of an agent: ask before each call, record after it.

    >>> run = Run(client, "seo-briefs", reporter=reporter)
    >>> decision = run.ask(step_kind="retrieve", model="gpt-4.1-mini", input_tokens=1200)
    >>> if decision.allowed: ...
    """

    def __init__(self, client: PolicyClient, workflow: str, **options: Any) -> None:
        super().__init__(client, workflow, **options)
        self._client = client

    def ask(self, *, again: Decision | None = None, **facts: Any) -> Decision:
        """What the policy says of the next call, limits that are counted for all processes included.

        `facts` are those of a `Request`. `again` is the decision of a call that failed: the same step, one
        attempt more. What is not `allowed` is not made, and not recorded.
        """
        begun = self._begin(again, facts)
        try:
            return self._begun(begun, self._client.reserve(begun.request, begun.decision))
        except BaseException:
            self._begun(begun, None)
            raise
