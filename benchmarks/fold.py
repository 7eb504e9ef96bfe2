"""Folding against the ingest that feeds it: `python -m benchmarks.fold` prints ratios taken in one run.

How many events a second are folded into rollups, wide days and run summaries, in batches of 1,000 and of 1 event,
against a plain `INSERT … SELECT … GROUP BY` of the same rows into an empty rollup (the least that summing can cost).
"""

import argparse
import os
import statistics
import time
from contextlib import ExitStack

GROUP_ONLY = """
CREATE TEMPORARY TABLE least ON COMMIT DROP AS
WITH rows AS (SELECT {rows} FROM usage_ledger WHERE batch_id = ANY(%s))
{quarter_hours}
"""


def fresh_batches(count: int, size: int) -> list[int]:
    """Take `count` batches of `size` events; their ids."""
    import json

    from benchmarks.ingest import events
    from budgets.models import Source
    from usage.ingest import write
    from usage.ingest.decode import decode
    from usage.models import IngestBatch

    write.hint_settle = lambda: None  # no worker is meant here
    source, _ = Source.objects.get_or_create(slug="bench", defaults={"name": "bench"})
    sender = write.Sender(source.pk, source.slug)
    for n in range(count):
        body = json.dumps(events(size, f"fold-{time.time_ns()}-{n}")).encode()
        write.take(sender, decode(body, "application/json", {}, size))
    return list(IngestBatch.objects.filter(folded_at=None).values_list("pk", flat=True))


def measure(count: int, size: int) -> tuple[float, float]:
    """Events a second folded, and summed only."""
    from django.db import connection, transaction

    from usage.rollups.fold import fold_all
    from usage.rollups.sums import QUARTER_HOURS, ROW_COLUMNS

    batches = fresh_batches(count, size)
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(GROUP_ONLY.format(rows=ROW_COLUMNS, quarter_hours=QUARTER_HOURS), [batches])
    least = count * size / (time.perf_counter() - started)
    started = time.perf_counter()
    folded = fold_all()
    assert folded == count * size
    return folded / (time.perf_counter() - started), least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    from benchmarks.scratch import database

    with ExitStack() as running:
        running.enter_context(database())
        print(f"{os.cpu_count()} processors; median of {options.rounds} rounds")
        for count, size in ((20, 1000), (200, 100), (500, 1)):
            taken = [measure(count, size) for _ in range(options.rounds)]
            folded = statistics.median(one for one, _ in taken)
            ratio = statistics.median(one / least for one, least in taken)
            print(f"{count:4} batches × {size:5} events: {folded:9,.0f} events/s folded, {ratio:.2f} of summing only")


if __name__ == "__main__":
    main()
