"""What each run has used so far, as far as its calls went through this process."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tokenops_sdk.asking import Request, RunSoFar

MOST = 20_000  # runs remembered; the longest untouched one is forgotten first


@dataclass(slots=True)
class Counted:
    """Totals of one run; `cost_nano` in nano-dollars."""

    steps: int = 0
    steps_by_kind: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    cost_nano: int = 0


class Runs:
    """Counts the runs of a gateway. Several processes count each for itself. Safe for threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, threading.Lock()
        self._runs: OrderedDict[tuple[str, str], Counted] = OrderedDict()

    def so_far(self, request: Request) -> RunSoFar:
        """Totals before this call: what was counted here or what the caller says, whichever is more."""
        with self._lock:
            seen = self._runs.get((request.workflow, request.run_id)) if request.run_id else None
            if seen is None:
                return request.run
            said = request.run
            return RunSoFar(
                max(seen.steps, said.steps),
                larger(seen.steps_by_kind, said.steps_by_kind),
                max(seen.tokens, said.tokens),
                max(seen.cost_nano, said.cost_nano),
            )

    def began(self, request: Request) -> None:
        """A call of the run is made. Another attempt at a step is a step too, but not one more of its kind."""
        if request.run_id:
            with self._lock:
                run = self._run(request)
                run.steps += 1
                if request.attempt == 1:
                    run.steps_by_kind[request.step_kind] = run.steps_by_kind.get(request.step_kind, 0) + 1

    def ended(self, request: Request, tokens: int, cost_nano: int) -> None:
        """What the call used."""
        if request.run_id:
            with self._lock:
                run = self._run(request)
                run.tokens += tokens
                run.cost_nano += cost_nano

    def _run(self, request: Request) -> Counted:
        key = (request.workflow, request.run_id)
        run = self._runs.setdefault(key, Counted())
        self._runs.move_to_end(key)
        while len(self._runs) > self._most:
            self._runs.popitem(last=False)
        return run


def larger(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Of each member the larger number."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()}
