"""Ingest against raw COPY and against a DRF serializer with bulk_create: `python -m benchmarks.ingest`.

Everything is measured in one run, in turns, on one server: events a second over HTTP into the running stack (claimed,
priced, charged, committed durably), raw COPY of the same rows into the product's own tables (`usage_claim` and
`usage_ledger`, whose DDL is in usage/migrations/0002_partitions.py), and the usual Django way. Needs a PostgreSQL:
DATABASE_URL, or the embedded one. Options: --rounds, --seconds, --rows (rows in the ledger before measuring).
"""

import argparse
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg

BATCHES_MADE = 40


def events(count: int, tag: str) -> list[dict[str, Any]]:
    """Calls of twenty workflows, in runs of five steps, as a gateway sends them. Ids are UUIDv7-like and distinct."""
    now = time.time_ns() // 1_000_000
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    made = []
    for n in range(count):
        raw = bytearray(uuid.uuid4().bytes)
        raw[:6] = (now + n).to_bytes(6, "big")
        raw[6] = 0x70 | (raw[6] & 0x0F)
        made.append(
            {
                "id": str(uuid.UUID(bytes=bytes(raw))),
                "time": moment,
                "workflow": f"workflow-{n % 20}",
                "run_id": f"{tag}-{n // 5}",
                "step": n % 5 + 1,
                "stage": "draft",
                "environment": "production",
                "provider": "openai",
                "model": "gpt-4.1-mini" if n % 4 else "gpt-4.1",
                "input_tokens": 1000 + n,
                "cached_input_tokens": 500,
                "output_tokens": 100 + n % 50,
                "user": f"user-{n % 30}",
                "campaign": "autumn",
                "status": "ok",
                "latency_ms": 800,
            }
        )
    return made


class Poster(threading.Thread):
    """One keep-alive connection that posts batches until told to stop; counts accepted events."""

    def __init__(self, address: str, key: str, size: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.host = address.removeprefix("http://")
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.size, self.stopping, self.accepted = size, stop, 0
        self.bodies: list[bytes] = []
        self.failure = ""

    def prepare(self) -> None:
        """Whole requests as bytes, so that the client's own work hardly counts on a machine that it shares."""
        head = f"POST /api/v1/events HTTP/1.1\r\nHost: {self.host}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        for n in range(max(2, min(2000, BATCHES_MADE * 1000 // self.size))):
            made = events(self.size, f"{id(self)}-{n}")
            body = json.dumps(made[0] if self.size == 1 else made).encode()
            self.bodies.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def run(self) -> None:
        name, _, port = self.host.partition(":")
        with socket.create_connection((name, int(port)), timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in self.bodies:
                if self.stopping.is_set():
                    return
                connection.sendall(request)
                answer = b""
                while not answer.endswith(b"]}"):  # how every answer to a batch ends; head and body may come apart
                    received = connection.recv(65536)
                    if not received:
                        break
                    answer += received
                # Every event is new, so the answer is short and its count is known; anything else ends the benchmark.
                if not answer.startswith(b"HTTP/1.1 200") or b'"accepted":%d,' % self.size not in answer:
                    self.failure = answer.decode(errors="replace")
                    return
                self.accepted += self.size


def over_http(address: str, key: str, connections: int, size: int, seconds: float) -> float:
    """Events a second."""
    stop = threading.Event()
    posters = [Poster(address, key, size, stop) for _ in range(connections)]
    for poster in posters:
        poster.prepare()
    rate = timed(posters, stop, seconds, lambda: sum(poster.accepted for poster in posters))
    for poster in posters:
        if poster.failure:
            raise SystemExit(f"not accepted: {poster.failure}")
    return rate


class Copier(threading.Thread):
    """One connection that copies prepared rows into claims and ledger, a durable commit per batch."""

    def __init__(self, dsn: str, batches: list[tuple[bytes, bytes]], size: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.dsn, self.batches, self.size, self.stopping, self.copied = dsn, batches, size, stop, 0

    def run(self) -> None:
        from usage.ledger.append import COPY

        with psycopg.connect(self.dsn) as connection:
            for claims, rows in self.batches:
                if self.stopping.is_set():
                    return
                cursor = connection.cursor()
                with cursor.copy("COPY usage_claim (source_id, claimed_on, key, content) FROM STDIN") as copy:
                    copy.write(claims)
                with cursor.copy(COPY) as copy:
                    copy.write(rows)
                connection.commit()
                self.copied += self.size


def raw_copy(dsn: str, connections: int, size: int, seconds: float) -> float:
    """Rows a second, with the rows rendered beforehand."""
    stop = threading.Event()
    copiers = [Copier(dsn, [rendered(size) for _ in range(BATCHES_MADE * 1000 // size)], size, stop)
               for _ in range(connections)]  # fmt: skip
    return timed(copiers, stop, seconds, lambda: sum(copier.copied for copier in copiers))


def rendered(size: int) -> tuple[bytes, bytes]:
    """COPY text of claims and of ledger rows, as ingest would write them."""
    import msgspec
    from django.utils import timezone

    from usage.ingest.event import content_key, identity_key
    from usage.ledger.row import LedgerRow

    claims, rows = [], []
    now = timezone.now()
    from usage.ingest.decode import decode

    for item in decode(json.dumps(events(size, "copy")).encode(), "application/json", {}, size):
        event = item.event
        assert event is not None
        claims.append(f"999\t{now.date()}\t{identity_key(event.id)}\t{content_key(event)}\n")
        row = LedgerRow(
            posted_at=now, time=now, batch_id=1, generation=1, source_id=999, event_id=event.id, workflow_id=1,
            team="", run_id=event.run_id, step=event.step, stage="draft", provider=event.provider or "",
            model=event.model, measured=True, input_tokens=event.input_tokens, output_tokens=event.output_tokens,
            cached_input_tokens=500, user_name=event.user, campaign=event.campaign, latency_ms=800, price_id=1,
            cost=6, cost_input=1, cost_cached=2, cost_cache_write=0, cost_output=3, cost_units=0, tier=1,
        )  # fmt: skip
        values = msgspec.structs.astuple(row)
        rows.append("\t".join("\\N" if v is None else "t" if v is True else str(v) for v in values) + "\n")
    return "".join(claims).encode(), "".join(rows).encode()


def timed(threads: list[Any], stop: threading.Event, seconds: float, count: Callable[[], int]) -> float:
    """Run the threads for at most `seconds`; what they counted, a second."""
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.01, started + seconds - time.perf_counter()))
    stop.set()
    for thread in threads:
        thread.join()
    return count() / (time.perf_counter() - started)


def the_django_way(dsn: str, size: int, seconds: float) -> float:
    """A DRF serializer of the same event and bulk_create into a plain table, without claims or charges."""
    from benchmarks.plain_django import table, take

    made = [events(size, f"drf-{n}") for n in range(max(2, int(seconds * 4000 / size)))]
    with table():
        started, count = time.perf_counter(), 0
        for batch in made:
            take(batch)
            count += size
            if time.perf_counter() - started > seconds:
                break
        return count / (time.perf_counter() - started)


CASES = [(1, 1000), (8, 1000), (8, 100), (16, 1)]


def make_budgets() -> None:
    """One for the organisation, one per workflow, two per model: each event is charged to three."""
    from budgets.models import Budget
    from budgets.organisation.configuration import changing_configuration

    scopes: list[dict[str, str]] = [{}, {"model": "gpt-4.1"}, {"model": "gpt-4.1-mini"}]
    scopes += [{"workflow": f"workflow-{n}"} for n in range(20)]
    with changing_configuration() as generation:
        for n, scope in enumerate(scopes):
            Budget.objects.create(slug=f"b{n}", name=f"b{n}", scope=scope, amount=10**15, generation=generation)


@contextmanager
def held(stack: Any) -> Iterator[None]:
    """Worker and beat stopped for a while: what they do afterwards is measured in fold.py and evaluate.py."""
    processes = [
        one
        for name in ("worker", "beat")
        for one in (stack.guardian(name), *stack.guardian(name).children(recursive=True))
    ]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def measure(stack: Any, rounds: int, seconds: float) -> None:
    key = stack.make_key(["ingest"])
    time.sleep(1)
    over_http(stack.base_url, key, 4, 100, 1)  # loads prices and budgets into each process
    dsn = stack.database_url
    for connections, size in CASES:
        ours, copied = [], []
        for _ in range(rounds):
            ours.append(over_http(stack.base_url, key, connections, size, seconds))
            if size > 1:
                copied.append(raw_copy(dsn, connections, size, seconds))
        line = f"{connections:2} connections × {size:5} events: {statistics.median(ours):9,.0f} events/s"
        if copied:
            ratio = statistics.median(a / b for a, b in zip(ours, copied, strict=True))
            line += f"   raw COPY {statistics.median(copied):9,.0f} rows/s   ratio {ratio:.2f}"
        print(line, flush=True)
    drf = statistics.median(the_django_way(dsn, 1000, seconds) for _ in range(rounds))
    print(f"DRF serializer + bulk_create, batches of 1,000, one connection, no HTTP: {drf:,.0f} events/s", flush=True)


FILL = (
    """INSERT INTO usage_claim (source_id, claimed_on, key, content)
    SELECT 999, current_date, md5(n::text)::uuid, md5((-n)::text)::uuid
    FROM generate_series(%(first)s, %(last)s) AS n""",
    """INSERT INTO usage_ledger (posted_at, time, batch_id, generation, source_id, event_id, workflow_id, environment,
        provider, model, measured, input_tokens, output_tokens, run_id, price_id, cost, cost_input, cost_cached,
        cost_cache_write, cost_output, cost_units)
    SELECT now(), now(), -n / 1000, 1, 999, n::text, 1, 'production', 'openai', 'gpt-4.1', true, 1000, 100,
        (n / 5)::text, 1, 6, 1, 2, 0, 3, 0
    FROM generate_series(%(first)s, %(last)s) AS n""",
)


def fill(dsn: str, rows: int) -> None:
    """Put `rows` rows into claims and ledger, a hundred thousand at a time."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for first in range(1, rows, 100_000):
            for statement in FILL:
                connection.execute(statement, {"first": first, "last": min(rows, first + 99_999)})
        connection.execute("VACUUM ANALYZE usage_claim, usage_ledger")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--hold-workers", action="store_true", help="measure ingest without folding beside it")
    options = parser.parse_args()
    from tests import machine
    from tests.stack import started

    with ExitStack() as running:
        server = os.environ.get("DATABASE_URL") or running.enter_context(machine.embedded_server())
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        stack = running.enter_context(started(folder, server, os.environ.get("BROKER_URL", "filesystem://")))
        os.environ.update(DATABASE_URL=stack.database_url, SECRET_KEY="benchmark")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenops_site.settings")
        import django

        django.setup()
        make_budgets()
        if options.rows:
            from django.utils import timezone

            from usage.ledger.partitions import ensure_months

            ensure_months([timezone.now()])
            fill(stack.database_url, options.rows)
        print(f"{options.rows:,} rows before; {os.cpu_count()} processors; median of {options.rounds} rounds")
        with held(stack) if options.hold_workers else nullcontext():
            measure(stack, options.rounds, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
