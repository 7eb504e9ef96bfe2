"""A worker's hold on a long piece of work that may be killed, taken over or called off.

The work is a row with `state` (waiting, running, done, failed, cancelled), `claimed_at`, `created_at`, `finished_at`,
`problem` and how far it is. A worker that dies leaves it as running; whoever holds the lock next begins it anew, so
that a result is always of the whole. `claimed_at` is the worker's heartbeat and its claim at once: who does not find
there what it wrote last has lost it, or it was called off.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db import OperationalError
from django.utils import timezone

from budgets.access.problems import what_failed

GIVE_UP = timedelta(hours=2)  # of beginning again and again
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
OPEN = (WAITING, RUNNING)
J = TypeVar("J", bound=Any)


class Lost(Exception):
    """Somebody called the work off, or another worker has it."""


class Claim(Generic[J]):
    """A worker's hold on a row."""

    def __init__(self, job: J, at: datetime) -> None:
        self.job, self.at = job, at

    @classmethod
    def of(cls, job: J, give_up: timedelta = GIVE_UP, advice: str = "", **anew: Any) -> "Claim[J] | None":
        """Begin it from the start, with the values of `anew`; None where it has ended, or was begun for too long."""
        if job.state not in OPEN:
            return None
        now = timezone.now()
        claim = cls(job, now)
        begun = type(job)._default_manager.filter(pk=job.pk, state=job.state, claimed_at=job.claimed_at)
        if not begun.update(state=RUNNING, claimed_at=now, **anew):
            return None
        if job.state == RUNNING and now - job.created_at > give_up:
            claim.end(FAILED, problem=f"It was begun again and again and never came to an end. {advice}".strip())
            return None
        return claim

    def mark(self, **values: Any) -> None:
        """Say how far it is; Lost where it is not this worker's any more."""
        now = max(timezone.now(), self.at + timedelta(microseconds=1))
        if not self._mine().update(claimed_at=now, **values):
            raise Lost
        self.at = now

    def end(self, state: str, **values: Any) -> None:
        """The last word, if it is still this worker's."""
        self._mine().update(state=state, finished_at=timezone.now(), **values)

    def carry_out(self, work: Callable[["Claim[J]"], None]) -> None:
        """Do it. What goes wrong is on the row, for whoever looks at it; a lost database leaves it to the next."""
        try:
            work(self)
        except Lost:
            return
        except OperationalError:
            raise
        except Exception as error:
            self.end(FAILED, problem=what_failed(error, f"{type(self.job).__name__} {self.job.pk}")[:500])

    def _mine(self) -> Any:
        return type(self.job)._default_manager.filter(pk=self.job.pk, state=RUNNING, claimed_at=self.at)
