"""Trying a policy on past calls: `python -m benchmarks.replay` prints ratios taken in one run.

How many calls a second a preview decides twice, prices and sums, against reading the same rows in the same order and
doing nothing with them; what the worker's memory grows by meanwhile; and the first page of the calls behind a figure.
"""

import argparse
import os
import resource
import time
from contextlib import ExitStack


def grown_since(before: int) -> float:
    """By how many MB the most that this process ever used has grown."""
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def read_only() -> float:
    """Calls a second that are read and made into values."""
    from routing.replay.ledger import Window, read_calls
    from routing.tests.replaying import ENDS, STARTS

    started, seen = time.perf_counter(), 0
    for calls in read_calls(Window(STARTS, ENDS)):
        seen += len(calls)
    return seen / (time.perf_counter() - started)


def decided(draft: int) -> tuple[float, int]:
    """Calls a second of a whole preview, and its id."""
    from routing.models import PolicyReplay
    from routing.replay.take import ask, replay_waiting
    from routing.tests.replaying import ACTOR, ENDS, STARTS

    replay, _ = ask(ACTOR, draft, STARTS, ENDS)
    started = time.perf_counter()
    replay_waiting()
    seconds = time.perf_counter() - started
    done = PolicyReplay.objects.get(pk=replay.pk)
    assert done.state == PolicyReplay.State.DONE, done.problem
    return (done.taken or 0) / seconds, done.pk


def first_page(pk: int) -> float:
    """Seconds until the fifty first calls of a workflow's figure are found."""
    from itertools import islice

    from routing.models import PolicyReplay
    from routing.replay.behind import LOOKED_AT, Wanted, find_calls

    started = time.perf_counter()
    wanted = Wanted(figure="lowered", workflow="many-1")
    list(islice(find_calls(PolicyReplay.objects.get(pk=pk), wanted, LOOKED_AT), 50))
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--workflows", type=int, default=50)
    options = parser.parse_args()
    from benchmarks.scratch import database

    with ExitStack() as running:
        running.enter_context(database())
        from django.db import connection

        from routing.tests import replaying

        draft = replaying.company(options.workflows)
        replaying.add_calls(options.calls)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE usage_ledger")
        print(f"{os.cpu_count()} processors; {options.calls:,} calls of {options.workflows} workflows")
        plain = read_only()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rate, pk = decided(draft.pk)
        print(f"reading only:   {plain:9,.0f} calls/s")
        print(f"a preview:      {rate:9,.0f} calls/s, {rate / plain:.2f} of reading only; 1M in {1e6 / rate:,.0f} s")
        print(f"its memory:     {grown_since(memory):9,.1f} MB more than reading only")
        print(f"calls behind a figure, first page: {first_page(pk):.2f} s")


if __name__ == "__main__":
    main()
