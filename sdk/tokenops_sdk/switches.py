"""The kill switches that a bundle says are thrown: of whole workflows, and of single runs. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

PAUSED, STOPPED = "workflow_paused", "run_stopped"


class Stop(NamedTuple):
    """A run's switch: why it was thrown, and until when (seconds since 1970, and as the bundle has it; None: open)."""

    reason: str
    ends: float | None
    until: str | None


class Switches:
    """What of `blocked` holds by itself. An entry of another code, or with a dimension more, holds for no call here:
    what is not known of a scope must not make it wider."""

    __slots__ = ("paused", "stopped")

    def __init__(self, blocked: Iterable[Mapping[str, Any]]) -> None:
        self.paused: dict[str, str] = {}
        self.stopped: dict[tuple[str, str], list[Stop]] = defaultdict(list)
        for said in blocked:
            scope, dimensions = said["scope"], said["scope"].keys()
            if said["code"] == PAUSED and dimensions == {"workflow"}:
                self.paused.setdefault(scope["workflow"], str(said["reason"]))
            elif said["code"] == STOPPED and dimensions == {"workflow", "run"}:
                until = said["until"]
                ends = None if until is None else datetime.fromisoformat(until).timestamp()
                self.stopped[scope["workflow"], scope["run"]].append(Stop(str(said["reason"]), ends, until))

    def thrown(self, sent: str, slug: str, run: str, at: float) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Code, values and change of what stops a call at `at`: of its workflow, under the name that was sent or the
        one that it counts as, then of its run."""
        reason = self.paused.get(sent, self.paused.get(slug))
        if reason is not None:
            yield PAUSED, {"workflow": slug, "reason": reason}, {"kind": "resume"}
        if not run or not self.stopped:
            return
        for stop in (*self.stopped.get((sent, run), ()), *self.stopped.get((slug, run), ())):
            if stop.ends is None or at < stop.ends:
                by_itself = {} if stop.until is None else {"at": stop.until}
                values = {"workflow": slug, "run": run, "reason": stop.reason}
                yield STOPPED, values, {"kind": "resume", "run": run, **by_itself}
                return
