"""Overview and explorer over thirty days, with more and more events: `python -m benchmarks.explorer`.

Writes so many events into the ledger by SQL (60 workflows, 12 models, 5,000 users, 2,000 values of other dimensions),
sums them as a rebuild does, and asks for the Overview, for every grouping of `/spend/`, for runs, a run and calls, in
turn, in one process. Prints p50 and p95 of each, how p95 grows from the first to the last size (the goal is flat, and
300 ms), the size of the tables, and the memory of the process. The yardstick is a page of the same frame that reads
nothing.
"""

import argparse
import os
import re
import resource
import statistics
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

DAYS = 30
YARDSTICK = "/menu/"
GOAL = 0.3
CHUNK = 500_000
# Names of files without the list that only an installation has.
PLAIN_FILES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}

# Attributes follow from the workflow, as they do in life: a workflow has its team, application, stages and models.
EVENTS = """
INSERT INTO usage_ledger (posted_at, time, batch_id, generation, kind, source_id, event_id, workflow_id, team, run_id,
    step, attempt, stage, task_type, environment, operation, provider, model, tier, default_tier, measured, unpriced,
    input_tokens, cached_input_tokens, output_tokens, cache, service_tier, status, latency_ms, user_name, application,
    customer, campaign, channel, tags, cost, cost_input, cost_cached, cost_cache_write, cost_output, cost_units)
SELECT at, at, batch, 1, 0, 1, 'bench-' || n, 1000 + flow, 'team-' || flow %% 8, 'run-' || n / 6, 1 + n %% 6,
    CASE WHEN roll < 0.04 THEN 2 ELSE 1 END, 'stage-' || (flow + n %% 3) %% 9, 'task-' || (flow + n %% 2) %% 5,
    CASE WHEN n %% 12 = 0 THEN 'staging' ELSE 'production' END, 'chat', 'provider-' || model %% 3, 'model-' || model,
    1 + model %% 3, 1, true, 0, 1500 + n %% 4000, 300, 200 + n %% 500, 'none',
    CASE WHEN n %% 10 = 0 THEN 'batch' ELSE 'standard' END, CASE WHEN roll < 0.02 THEN 'error' ELSE 'ok' END,
    900 + n %% 3000, 'user-' || (n / 6 * 7919) %% 5000, 'app-' || flow %% 20, 'customer-' || (n / 6 * 104729) %% 300,
    'campaign-' || (flow * 3 + n %% 3) %% 50, 'channel-' || flow %% 8,
    jsonb_build_object('asset', 'asset-' || (n / 6) %% 150, 'lang', 'l' || n %% 6), cost, cost / 2, 0, 0,
    cost - cost / 2, 0
FROM (SELECT n, roll, flow, %(batch)s AS batch, (flow + floor(roll * 4)::int * 5) %% 12 AS model,
        100000 + n %% 7000000 AS cost, %(from)s::timestamptz + (n - %(first)s) * %(gap)s::interval AS at
    FROM (SELECT n, random() AS roll, (n / 6 * 31 %% 60)::int AS flow
        FROM generate_series(%(first)s::bigint, %(last)s) AS n) AS rolled) AS made
"""
SIZES = """SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ %s"""


def fill(events: int, already: int, now: datetime) -> None:
    """So many events over thirty days and today, in the order in which they happened, and all that is summed of them.

    More than `already` are spread over the same days, as later batches.
    """
    from django.db import connection

    from usage.ledger.partitions import ensure_months
    from usage.models import IngestBatch
    from usage.rollups.rebuild import rebuild_from_snapshot

    start = now - timedelta(days=DAYS, hours=12)
    ensure_months([start, now])
    many, written = events - already, 0
    gap = (now - start) / many
    while written < many:
        count = min(CHUNK, many - written)
        batch = IngestBatch.objects.create(source_id=1, received_at=now, generation=1, events=count, folded_at=now)
        with connection.cursor() as cursor:
            values: dict[str, Any] = {
                "first": already + written,
                "last": already + written + count - 1,
                "batch": batch.pk,
                "gap": gap,
            }
            cursor.execute(EVENTS, values | {"from": start + written * gap})
        written += count
    with connection.cursor() as cursor:
        cursor.execute("SET work_mem = '256MB'")
        rebuild_from_snapshot()
        cursor.execute("RESET work_mem")
        cursor.execute("VACUUM ANALYZE")


def company() -> None:
    """Workflows that the events name by their ids, and somebody who looks."""
    from django.contrib.auth.models import User

    from budgets.models import Organisation, Source, Team, Workflow
    from usage.rollups.zone import follow_time_zone

    Organisation.objects.update_or_create(id=1, defaults={"time_zone": "Europe/Berlin"})
    follow_time_zone()
    Source.objects.get_or_create(pk=1, defaults={"slug": "bench", "name": "bench"})
    teams = Team.objects.bulk_create(Team(slug=f"team-{n}", name=f"Team {n}") for n in range(8))
    Workflow.objects.bulk_create(
        Workflow(pk=1000 + n, slug=f"flow-{n}", name=f"Flow {n}", team=teams[n % 8], status="production")
        for n in range(60)
    )
    User.objects.create_superuser("lena", password="a-long-horse-for-benchmarks")


def pages(now: datetime) -> list[str]:
    """The Overview, every grouping, two of the dear kinds of questions, and what lies below."""
    from reports.asking.scope import DIMENSIONS

    days = f"period=custom&from={(now - timedelta(days=DAYS)).date()}&to={(now - timedelta(days=1)).date()}"
    found = [
        YARDSTICK,
        "/",
        "/?period=quarter",
        "/overview/answers/",
        *(f"/spend/?{days}&group={one}" for one in DIMENSIONS),
    ]
    found.append(f"/spend/?{days}&group=workflow&stack=model")
    found.append(f"/spend/?{days}&group=model&compare=previous")
    found.append(f"/spend/?{days}&group=workflow&user=user-7")
    found.append(f"/spend/?{days}&group=model&workflow=flow-7&team=team-7")
    return found


def below(now: datetime, events: int) -> list[str]:
    """What is read of runs and of the ledger."""
    days = f"period=custom&from={(now - timedelta(days=DAYS)).date()}&to={(now - timedelta(days=1)).date()}"
    run = events // 2 // 6
    return [
        f"/spend/runs/?{days}",
        f"/spend/runs/?{days}&workflow=flow-7",
        f"/spend/runs/flow-{run * 31 % 60}/run-{run}/",
        f"/spend/calls/?{days}",
        f"/spend/calls/?{days}&customer=customer-7&workflow=flow-7",
        f"/spend/?{days}&group=stage&customer=customer-7",
        f"/figures/?{days}",
    ]


def measure(paths: list[str], times: int) -> dict[str, list[float]]:
    """Path → seconds, the pages in turn so that noise falls on all."""
    from django.contrib.auth.models import User
    from django.test import Client, override_settings

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.get(username="lena"))
    taken: dict[str, list[float]] = {path: [] for path in paths}
    for turn in range(times + 1):
        for path in paths:
            with override_settings(STORAGES=PLAIN_FILES):
                started = time.perf_counter()
                answer = client.get(path)
                seconds = time.perf_counter() - started
            assert answer.status_code == 200, (path, answer.status_code)
            if turn:
                taken[path].append(seconds)
    return taken


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


def size_of(pattern: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(SIZES, [pattern])
        return int(cursor.fetchone()[0] or 0)


def show(name: str, taken: dict[str, list[float]]) -> dict[str, float]:
    """Print a table; path → p95."""
    print(f"\n{name:70} {'p50 ms':>8} {'p95 ms':>8}")
    for path, values in taken.items():
        short = re.sub(r"period=custom&from=[^&]*&to=[^&]*", "30 days", path)
        mark = "" if p95(values) <= GOAL else "  over 300"
        print(f"{short[:70]:70} {statistics.median(values) * 1000:8.0f} {p95(values) * 1000:8.0f}{mark}")
    return {path: p95(values) for path, values in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", default="1000000,10000000", help="sizes, each in turn on top of the one before")
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    sizes = [int(one) for one in options.events.split(",")]
    from benchmarks.scratch import database

    found: dict[int, dict[str, float]] = {}
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with ExitStack() as running:
        running.enter_context(database())
        company()
        print(f"{os.cpu_count()} processors, {options.times} times each")
        already = 0
        for size in sizes:
            started = time.perf_counter()
            fill(size, already, now)
            already = size
            print(
                f"\n{size:,} events, written and summed in {time.perf_counter() - started:,.0f} s; tables in MB:",
                end="",
            )
            for pattern in (
                "^usage_ledger_2",
                "^usage_coreday$",
                "^usage_wide_day_",
                "^usage_quarterhour$",
                "^usage_run$",
            ):
                print(f" {pattern.strip('^$')} {size_of(pattern) / 1e6:,.0f}", end="")
            print()
            found[size] = show("from rollups", measure(pages(now), options.times))
            show("from runs and the ledger", measure(below(now, size), max(3, options.times // 4)))
            kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(f"most memory of this process: {kilobytes / 1024:,.0f} MB")
    report(found)


def report(found: dict[int, dict[str, Any]]) -> None:
    """How p95 grows, and whether the goal is met."""
    first, last = min(found), max(found)
    asked = [path for path in found[last] if path != YARDSTICK]
    ratios = {path: found[last][path] / found[first][path] for path in asked}
    worst = max(asked, key=lambda path: found[last][path])
    print(f"\np95 at {last:,} by p95 at {first:,} events: median {statistics.median(ratios.values()):.2f}", end="")
    print(f", most {max(ratios.values()):.2f}")
    print(f"slowest: {found[last][worst] * 1000:.0f} ms at p95, {worst}")
    print("goal met" if found[last][worst] <= GOAL else "over the goal of 300 ms")


if __name__ == "__main__":
    main()
