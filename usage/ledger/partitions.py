"""Monthly partitions of the ledger: made ahead, detached after retention."""

import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

_known: set[str] = set()
_lock = threading.Lock()
PARTITION_LOCK = 7_061_005  # advisory lock number, ours by choice


def month_of(when: datetime) -> date:
    """First day of the UTC month; partitions are by UTC month, whatever the organisation's zone."""
    when = when.astimezone(UTC)
    return date(when.year, when.month, 1)


def next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def partition_name(first: date) -> str:
    return f"usage_ledger_{first:%Y_%m}"


def ensure_months(moments: Iterable[datetime]) -> None:
    """Make the partitions that rows at these moments go to. Run it before the rows' own transaction.

    Attaching takes a weak lock on the parent, so that writers and readers go on.
    """
    missing = {first for first in map(month_of, moments) if partition_name(first) not in _known}
    for first in sorted(missing):
        make_partition(first)
        with _lock:
            _known.add(partition_name(first))


def make_partition(first: date) -> None:
    """Make one month's partition if it is not there; safe against another process doing the same."""
    name, after = partition_name(first), next_month(first)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITION_LOCK])
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0] is not None:
            return
        # The name is made of digits by us; a check that matches the bound spares ATTACH the scan.
        cursor.execute(f"CREATE TABLE {name} (LIKE usage_ledger INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
        cursor.execute(
            f"ALTER TABLE usage_ledger ATTACH PARTITION {name} "
            f"FOR VALUES FROM ('{first}T00:00:00Z') TO ('{after}T00:00:00Z')"
        )


def make_ahead(now: datetime) -> None:
    """This month's and the next two months' partitions."""
    first = month_of(now)
    months = [first, next_month(first), next_month(next_month(first))]
    ensure_months(datetime(month.year, month.month, 1, tzinfo=UTC) for month in months)


def forget() -> None:
    """Forget which partitions are known; for tests and after a restore."""
    with _lock:
        _known.clear()
