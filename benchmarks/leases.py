"""Leases a second on one budget, by eight clients at once, against a plain `UPDATE … RETURNING` of a counter.

Both commit once for each; the counter only says no below zero. With `--spend` each lease is also given back. Needs a
PostgreSQL: DATABASE_URL, or the embedded one.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Callable

CLIENTS = 8
COUNTER = "UPDATE bench_counter SET remaining = remaining - 1000 WHERE id = 1 AND remaining >= 1000 RETURNING remaining"


def hard_budget() -> str:
    """A budget that nobody uses up; its short name."""
    from django.utils import timezone

    from budgets.limits.evaluate import evaluate_due
    from budgets.models import Budget

    now = timezone.now()
    Budget.objects.create(
        slug="hard", name="Hard", amount=10**15, on_exhausted="block", action_settings={"hard": True}, opened_from=now,
        opened_at=now,
    )  # fmt: skip
    evaluate_due()
    return "hard"


def lease(slug: str, give_back: bool) -> Callable[[], object]:
    from budgets.leases.release import release
    from budgets.leases.take import Wish, take

    wish = Wish("money", slug, amount=1_000)

    def one() -> object:
        taken = take(wish)
        return release(taken.lease, 0) if give_back else taken

    return one


def count() -> object:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(COUNTER)
        return cursor.fetchone()[0]


def rate(one: Callable[[], object], seconds: float) -> tuple[float, float]:
    """How many a second over all clients; the median milliseconds of one."""
    from django.db import connection

    took: list[list[float]] = [[] for _ in range(CLIENTS)]
    begin, stop = threading.Barrier(CLIENTS + 1), threading.Event()

    def client(n: int) -> None:
        try:
            connection.ensure_connection()
            begin.wait()
            while not stop.is_set():
                before = time.perf_counter()
                one()
                took[n].append(time.perf_counter() - before)
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    begin.wait()
    before = time.perf_counter()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - before
    everything = [each for of_one in took for each in of_one]
    return len(everything) / passed, statistics.median(everything) * 1000


def measure(args: argparse.Namespace) -> None:
    from django.db import connection

    from budgets.models import Lease

    slug = hard_budget()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_counter (id int PRIMARY KEY, remaining bigint)")
        cursor.execute("INSERT INTO bench_counter VALUES (1, 1000000000000000)")
    rows = []
    for _ in range(args.rounds):  # in turns, so that both meet the same weather
        Lease.objects.all().delete()
        given = rate(lease(slug, args.spend), args.seconds)
        rows.append((given, rate(count, args.seconds), Lease.objects.count()))
    for given, counted, held in rows:
        print(
            f"  leases {given[0]:,.0f} a second, {given[1]:.1f} ms; counter {counted[0]:,.0f} a second,"
            f" {counted[1]:.1f} ms: ratio {given[0] / counted[0]:.2f} ({held:,} leases at the end)"
        )
    print(f"median ratio {statistics.median(given[0] / counted[0] for given, counted, _ in rows):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--spend", action="store_true", help="give each lease back, with nothing used")
    args = parser.parse_args()
    from benchmarks import scratch

    with scratch.database():
        print(f"{CLIENTS} clients on one budget")
        measure(args)


if __name__ == "__main__":
    main()
