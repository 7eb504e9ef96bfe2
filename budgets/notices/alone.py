"""One worker at a time at a piece of work, so that the others stay free for the rest."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import QuerySet


@contextmanager
def alone(lock: int) -> Iterator[bool]:
    """Hold an advisory lock of the session; False where another worker has it. It goes with a killed connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


def work_off(lock: int, waiting: QuerySet[Any], work: Callable[[int], object]) -> int:
    """Do `work` on the id of each row that waits, the oldest first, also of those that come in meanwhile; how many.

    0 where another worker holds the lock. No row is worked on twice, whatever became of it.
    """
    with alone(lock) as held:
        if not held:
            return 0
        seen: list[int] = []
        ids = waiting.order_by("pk").values_list("pk", flat=True)
        while (pk := ids.exclude(pk__in=seen).first()) is not None:
            seen.append(pk)
            work(pk)
        return len(seen)
