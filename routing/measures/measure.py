"""Measure each night how fast models were and how often people approved what they made; the bundle tells it.

On a large ledger a sample of its pages is read, the same at each look, so that it stays a matter of seconds;
counts are of the sample. What is measured is never shown as more than that: `routing.bundle.policy_part` tells nothing
of a model with few calls.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from routing.models import ModelMeasure
from usage.ledger.partitions import month_of, next_month, partition_name

WINDOW = timedelta(days=30)
MOST_BYTES = 512 * 2**20  # of the ledger's pages that one night reads: some 1.5 million calls
MOST_RUNS = 50_000  # reviewed ones, the latest
MOST_MODELS = 500  # the most called: senders name models as they like
LONGEST_PROVIDER = 64
MEASURE_LOCK = 7_061_055  # advisory lock number, ours by choice: one night's work at a time

# A cache's answer says nothing of the model, a batch is slow on purpose, and what was taken back was no call.
SEEN = """
    SELECT l.id, l.provider, l.model, l.workflow_id, l.run_id, l.latency_ms, l.service_tier
    FROM usage_ledger l TABLESAMPLE SYSTEM (%(percent)s) REPEATABLE (7)
    WHERE l.kind = 0 AND l.posted_at >= %(starts)s AND l.posted_at < %(stops)s AND l.status = 'ok'
        AND l.cache NOT IN ('semantic', 'response') AND l.provider <> '' AND length(l.provider) <= %(longest)s
        AND NOT EXISTS (SELECT 1 FROM usage_ledger w WHERE w.corrects = l.id AND w.kind = 2)
"""
LATENCY = f"""
SELECT provider, model, count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms),
    percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms)
FROM ({SEEN}) AS seen
WHERE latency_ms IS NOT NULL AND service_tier NOT IN ('batch', 'flex')
GROUP BY provider, model ORDER BY count(*) DESC, provider, model LIMIT {MOST_MODELS}
"""
REVIEWED = """
SELECT workflow_id, run_id, outcome <> 'rejected' AS approved FROM usage_run
WHERE calls > 0 AND counts_at >= %(starts)s AND counts_at < %(stops)s
    AND outcome IN ('approved', 'shipped', 'rejected')
ORDER BY counts_at DESC, id DESC LIMIT %(runs)s
"""
# A run that several models worked on counts for each of them.
QUALITY = f"""
SELECT provider, model, count(*), count(*) FILTER (WHERE approved) FROM (
    SELECT DISTINCT seen.provider, seen.model, run.workflow_id, run.run_id, run.approved
    FROM ({SEEN}) AS seen JOIN ({REVIEWED}) AS run ON run.workflow_id = seen.workflow_id AND run.run_id = seen.run_id
) AS once GROUP BY provider, model ORDER BY count(*) DESC, provider, model LIMIT {MOST_MODELS}
"""


@dataclass(slots=True)
class Measured:
    """Of one model: calls with a latency and their median and 95th percentile, milliseconds; its reviewed runs."""

    calls: int = 0
    latency_ms: int | None = None
    latency_p95_ms: int | None = None
    reviewed_runs: int = 0
    approved_runs: int = 0


def measure_models(now: datetime | None = None) -> int:
    """Measure the last 30 days; how many models. Running it twice, or together, changes nothing."""
    now = now or timezone.now()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MEASURE_LOCK])
        found = read_measures(now)
        rows = [
            ModelMeasure(
                provider=provider,
                model=model,
                calls=one.calls,
                latency_ms=one.latency_ms,
                latency_p95_ms=one.latency_p95_ms,
                reviewed_runs=one.reviewed_runs,
                approved_runs=one.approved_runs,
                measured_at=now,
            )
            for (provider, model), one in sorted(found.items())
        ]
        told = ["calls", "latency_ms", "latency_p95_ms", "reviewed_runs", "approved_runs", "measured_at"]
        ModelMeasure.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["provider", "model"], update_fields=told
        )
        # What nobody called for a month is not known any more.
        ModelMeasure.objects.exclude(measured_at=now).delete()
    return len(rows)


def read_measures(now: datetime) -> dict[tuple[str, str], Measured]:
    """(provider, model) → what the ledger says of it."""
    asked: dict[str, Any] = {
        "starts": now - WINDOW, "stops": now, "percent": sampled_percent(now - WINDOW, now), "runs": MOST_RUNS,
        "longest": LONGEST_PROVIDER,
    }  # fmt: skip
    found: dict[tuple[str, str], Measured] = {}
    with connection.cursor() as cursor:
        cursor.execute(LATENCY, asked)
        for provider, model, calls, median, p95 in cursor.fetchall():
            found[provider, model] = Measured(calls, median, p95)
        # Where nobody reviews, the ledger need not be read for it.
        cursor.execute(f"SELECT EXISTS ({REVIEWED})", asked)
        if cursor.fetchone()[0]:
            cursor.execute(QUALITY, asked)
            for provider, model, reviewed, approved in cursor.fetchall():
                one = found.setdefault((provider, model), Measured())
                one.reviewed_runs, one.approved_runs = reviewed, approved
    return found


def sampled_percent(starts: datetime, stops: datetime) -> float:
    """How much of the window's months is read, at most all: in percent of their pages."""
    names, month = [], month_of(starts)
    while month <= month_of(stops):
        names.append(partition_name(month))
        month = next_month(month)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_relation_size(to_regclass(name))), 0) FROM unnest(%s::text[]) AS name", [names]
        )
        size = int(cursor.fetchone()[0])
    return 100.0 if size <= MOST_BYTES else 100.0 * MOST_BYTES / size
