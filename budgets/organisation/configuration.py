"""The generation: which configuration ingest priced and charged under.

Every change of a budget, price, workflow, team or the organisation takes an exclusive advisory lock, which waits for
the ingest transactions in flight (they hold it shared) and keeps new ones out until it commits. So each ledger row
carries a generation that says exactly which budgets it was charged to, and caches of configuration need no clock.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from budgets.notices.listener import notify

CONFIGURATION_LOCK = 7_061_001  # advisory lock number, ours by choice
CONFIG_CHANNEL = "tokenops_config"

# How a writer of usage begins. Two statements, because the second must see what was committed while the first waited.
HOLD_CONFIGURATION = f"SELECT pg_advisory_xact_lock_shared({CONFIGURATION_LOCK})"


@contextmanager
def changing_configuration() -> Iterator[int]:
    """One transaction that changes configuration; yields the new generation. May be nested."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CONFIGURATION_LOCK])
        cursor.execute("UPDATE budgets_organisation SET generation = generation + 1 WHERE id = 1 RETURNING generation")
        (generation,) = cursor.fetchone()
        yield generation
        notify(CONFIG_CHANNEL, str(generation))


def current_generation() -> int:
    """The generation as last committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT generation FROM budgets_organisation WHERE id = 1")
        return int(cursor.fetchone()[0])
