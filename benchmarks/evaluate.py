"""Appended charges and their evaluation against a hot counter updated in place: `python -m benchmarks.evaluate`.

Measured in one run on one server, in a database of its own, with durable commits: how long waiting charges of many
budgets take to be folded and judged; what a look costs when nothing is due; and how many charges a second eight
connections write by appending (one evaluator folding all the while, and its rest afterwards counted in), against the
same charges added in place to each budget's row of the quarter hour. Every transaction charges one budget that covers
everything, and others. Needs a PostgreSQL: DATABASE_URL, or the embedded one.
"""

import argparse
import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

CONNECTIONS = 8
IN_PLACE = """
INSERT INTO budgets_budgetseries AS series (budget_id, bucket, amount, calls)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[]) AS u (budget_id, bucket, a, c)
ORDER BY budget_id
ON CONFLICT (budget_id, bucket)
DO UPDATE SET amount = series.amount + EXCLUDED.amount, calls = series.calls + EXCLUDED.calls
"""


def make_budgets(count: int) -> list[int]:
    """Open budgets, each evaluated once; their ids."""
    from budgets.limits.evaluate import evaluate_due
    from budgets.models import Budget

    since = datetime.now(UTC) - timedelta(days=70)
    Budget.objects.bulk_create(
        Budget(slug=f"b{n}", name=f"B{n}", amount=10**15, opened_from=since, opened_at=since) for n in range(count)
    )
    evaluate_due()
    return list(Budget.objects.order_by("id").values_list("id", flat=True))


def backlog(budget_ids: list[int], charges: int) -> float:
    """Seconds to fold and judge so many waiting charges, in ten quarter hours of every budget."""
    from django.db import connection

    from budgets.limits.evaluate import evaluate_due
    from budgets.models import BudgetCharge

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO budgets_budgetcharge (budget_id, bucket, amount, calls)"
            " SELECT (%s::bigint[])[1 + n %% %s], date_bin('15 minutes', now(), '1970-01-01 00:00Z')"
            " - (n / %s %% 10) * interval '15 minutes', 1000, 1 FROM generate_series(0, %s - 1) n",
            [budget_ids, len(budget_ids), len(budget_ids), charges],
        )
        cursor.execute("ANALYZE budgets_budgetcharge")
    before = time.perf_counter()
    done = evaluate_due()
    seconds = time.perf_counter() - before
    assert len(done.budget_ids) == min(len(budget_ids), charges)
    assert not BudgetCharge.objects.exists()
    return seconds


def nothing_due() -> float:
    """Seconds of a look that finds nothing."""
    from budgets.limits.evaluate import evaluate_due

    times = []
    for _ in range(50):
        before = time.perf_counter()
        assert evaluate_due().budget_ids == ()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


def write(statement: str, budget_ids: list[int], seconds: float, each: int, evaluate: bool) -> tuple[float, float]:
    """Charges a second over eight connections; seconds until the last of them was folded, after the writers stopped."""
    import psycopg
    from django.db import connection

    from budgets.limits.calendar import quarter_hour
    from budgets.limits.evaluate import evaluate_due
    from budgets.notices.listener import database_address
    from budgets.organisation.configuration import HOLD_CONFIGURATION

    written = [0] * CONNECTIONS
    stop = threading.Event()
    address, bucket = database_address(), quarter_hour(datetime.now(UTC))

    def writer(n: int) -> None:
        chance = random.Random(n)
        with psycopg.connect(address, autocommit=True) as conn:
            while not stop.is_set():
                ids = [budget_ids[0], *chance.sample(budget_ids[1:], each - 1)]
                with conn.transaction():
                    conn.execute(HOLD_CONFIGURATION)
                    conn.execute(statement, (ids, [bucket] * each, [1000] * each, [1] * each))
                written[n] += each

    def evaluator() -> None:
        while not stop.wait(0.2):  # hints are coalesced to five a second
            evaluate_due()
        connection.close()

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(CONNECTIONS)]
    if evaluate:
        threads.append(threading.Thread(target=evaluator))
    before = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    stopped = time.perf_counter()
    if evaluate:
        evaluate_due()
    ended = time.perf_counter()
    return sum(written) / (ended - before), ended - stopped


def exact(budget_ids: list[int], run: Callable[[], Any]) -> Any:
    """Run, and see that what is charged to the first budget is the same in its series and its state."""
    from django.db.models import Sum

    from budgets.models import BudgetCharge, BudgetSeries, BudgetState

    found = run()
    assert not BudgetCharge.objects.exists()
    series = BudgetSeries.objects.filter(budget=budget_ids[0]).aggregate(sum=Sum("amount"))["sum"]
    states = BudgetState.objects.filter(budget=budget_ids[0]).aggregate(sum=Sum("spent"))["sum"]
    assert series == states, f"{series} in the series, {states} in the states"
    return found


def measure(args: argparse.Namespace) -> None:
    from budgets.limits.charges import APPEND

    ids = make_budgets(args.budgets)
    print(f"{args.budgets} budgets; medians of {args.rounds} rounds")
    for charges in (args.budgets // 20, args.budgets, args.charges):
        seconds = statistics.median(exact(ids, lambda n=charges: backlog(ids, n)) for _ in range(args.rounds))
        print(
            f"  {charges:>8,} charges waiting: folded in {seconds * 1000:8.1f} ms, {charges / seconds:>10,.0f} a second"
        )
    print(f"  nothing due: {nothing_due() * 1000:.2f} ms a look")
    for each in (3, 20):
        appended, placed, rests = [], [], []
        for _ in range(args.rounds):  # in turns, so that both meet the same weather
            rate, rest = exact(ids, lambda n=each: write(APPEND, ids, args.seconds, n, evaluate=True))
            appended.append(rate)
            rests.append(rest)
            placed.append(write(IN_PLACE, ids, args.seconds, each, evaluate=False)[0])
            restate()
        ratio = statistics.median(a / b for a, b in zip(appended, placed, strict=True))
        print(
            f"  {CONNECTIONS} connections, {each} charges a transaction: appended and evaluated"
            f" {statistics.median(appended):,.0f} charges a second (rest {statistics.median(rests) * 1000:.0f} ms),"
            f" in place {statistics.median(placed):,.0f}: ratio {ratio:.2f}"
        )


def restate() -> None:
    """Counting in place by-passed the states: have them summed anew."""
    from budgets.limits.evaluate import evaluate_due
    from budgets.models import Budget, BudgetState

    BudgetState.objects.all().delete()
    Budget.objects.update(due_at=datetime.now(UTC))
    evaluate_due()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budgets", type=int, default=2_000)
    parser.add_argument("--charges", type=int, default=200_000, help="the largest backlog")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    args = parser.parse_args()
    with ExitStack() as running:
        os.environ.setdefault("SECRET_KEY", "a-key-for-benchmarks-only-that-is-long-enough-to-please-django")
        os.environ["DJANGO_SETTINGS_MODULE"] = "tokenops_site.settings"
        os.environ["TOKENOPS_TEST_DATABASE"] = "tokenops_bench_evaluate"
        if not os.environ.get("DATABASE_URL"):
            from tests.machine import embedded_server

            os.environ["DATABASE_URL"] = running.enter_context(embedded_server())
        import django

        django.setup()
        from django.test.runner import DiscoverRunner

        runner = DiscoverRunner(verbosity=0, interactive=False)
        databases = runner.setup_databases()
        running.callback(runner.teardown_databases, databases)
        measure(args)


if __name__ == "__main__":
    main()
