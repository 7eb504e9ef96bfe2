"""How far folding is behind, and how long senders should wait."""

import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

FOLDED_PER_SECOND = 10_000  # what one worker folds at least (benchmarks/fold.py); only used to say when to come back
MEASURED_EVERY = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Backlog:
    """Events committed but not folded, and the age of the oldest such batch in seconds."""

    events: int
    oldest_seconds: float

    @property
    def is_too_long(self) -> bool:
        return self.events > settings.INGEST_MAX_BACKLOG

    @property
    def retry_after(self) -> int:
        """Whole seconds until the excess should be folded."""
        excess = self.events - settings.INGEST_MAX_BACKLOG
        return min(300, max(1, 1 + excess // FOLDED_PER_SECOND))


_last: tuple[float, Backlog] = (-1e9, Backlog(0, 0.0))


def backlog() -> Backlog:
    """The backlog, measured at most once a second by this process."""
    global _last
    measured_at, found = _last
    if time.monotonic() - measured_at > MEASURED_EVERY:
        found = measure()
        _last = (time.monotonic(), found)
    return found


def measure() -> Backlog:
    """Ask the database; a partial index holds the unfolded batches only."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(events), 0), coalesce(extract(epoch FROM now() - min(received_at)), 0)"
            " FROM usage_ingestbatch WHERE folded_at IS NULL"
        )
        events, oldest = cursor.fetchone()
    return Backlog(int(events), float(oldest))


def forget() -> None:
    """Measure anew at the next call; for tests."""
    global _last
    _last = (-1e9, Backlog(0, 0.0))
