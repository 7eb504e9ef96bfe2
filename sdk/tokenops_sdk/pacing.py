"""Slow down what a budget slows down: so many calls a minute, counted by each process for itself."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tokenops_sdk.asking import Decision, Reason

MINUTE = 60.0
SENTENCE = "Calls are slowed down to {limit} a minute, because of the budget “{name}”. The next may be made soon."


class Pace:
    """Calls of the last minute, by the budgets that slow them down. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._made: dict[tuple[str, ...], deque[float]] = {}

    def through(self, decision: Decision) -> Decision:
        """The decision, its call counted; or a refusal of the code `too_fast` that says when the next may be made."""
        if decision.action != "throttle" or decision.per_minute is None:
            return decision
        slowing = [reason for reason in decision.reasons if reason.action == "throttle"]
        budgets = tuple(str(reason.values.get("budget")) for reason in slowing)
        now = self._clock()
        with self._lock:
            made = self._made.setdefault(budgets, deque())
            while made and made[0] <= now - MINUTE:
                made.popleft()
            if len(made) < decision.per_minute:
                made.append(now)
                return decision
            wait = made[0] + MINUTE - now if made else MINUTE
        return too_fast(decision, slowing[0], datetime.now(UTC) + timedelta(seconds=math.ceil(wait)))


def too_fast(decision: Decision, slowing: Reason, at: datetime) -> Decision:
    """The decision as a refusal until `at` (aware)."""
    values = {**slowing.values, "limit": decision.per_minute}
    reason = Reason("too_fast", "block", values, SENTENCE.format(limit=decision.per_minute, name=values.get("name")))
    others = [change for change in decision.changes if change.get("kind") != "reset"]
    return replace(
        decision,
        action="block",
        provider=None,
        model=None,
        fallbacks=(),
        grant_id=None,
        per_minute=None,
        leases=(),
        reasons=(*decision.reasons, reason),
        changes=({"kind": "reset", "at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}, *others),
    )
