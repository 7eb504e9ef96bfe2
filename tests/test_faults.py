"""Everything killed with -9 at random under load: what was acknowledged is in the ledger, once."""

import http.client
import json
import random
import resource
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from tests.stack import Stack

pytestmark = [pytest.mark.server, pytest.mark.embedded, pytest.mark.timeout(280)]
SENDERS = 4
PER_BATCH = 25


@pytest.fixture(scope="module")
def own_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with an embedded PostgreSQL of its own, so that the database too can be killed."""
    tmp_path: Path = tmp_path_factory.mktemp("faults")
    stack = Stack(tmp_path, "", "filesystem://", {})
    del stack.environment["DATABASE_URL"], stack.environment["SECRET_KEY"]
    try:
        stack.start()
        yield stack
    finally:
        if stack.process is not None and stack.process.poll() is None:
            stack.stop()
        stack.kill_what_is_left()


def a_batch(sender: int, number: int) -> list[dict[str, object]]:
    moment = datetime.now(UTC).isoformat()
    return [
        {
            "id": f"{sender}-{number}-{n}",
            "time": moment,
            "workflow": f"w{n % 3}",
            "run_id": f"{sender}-{number}",
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "input_tokens": 100 + n,
            "output_tokens": 10,
        }
        for n in range(PER_BATCH)
    ]


class Sender(threading.Thread):
    """Sends batch after batch, each until it is acknowledged, and keeps a log of what was."""

    def __init__(self, stack: Stack, key: str, number: int) -> None:
        super().__init__(daemon=True)
        self.stack, self.key, self.number = stack, key, number
        self.acknowledged: list[bytes] = []
        self.answers: list[int] = []
        self.unanswered = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            body = json.dumps(a_batch(self.number, number)).encode()
            while not self.stopping.is_set():
                status, _ = post(self.stack, self.key, body)
                self.answers.append(status)
                if status == 200:
                    self.acknowledged.append(body)
                    break
                time.sleep(0.2)
            number += 1


def post(stack: Stack, key: str, body: bytes) -> tuple[int, dict]:
    """One request on a connection of its own; status 0 when no answer came."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=20)
    try:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/events", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        return 0, {}
    finally:
        connection.close()


def backend(stack: Stack, chance: random.Random) -> psutil.Process:
    """Some process of the stack's PostgreSQL: its first one, or one that serves a connection."""
    first = stack.main_process("postgres")
    return chance.choice([first, *first.children()])


def a_worker(stack: Stack, chance: random.Random) -> psutil.Process:
    """Celery's first process or one of its pool."""
    first = stack.main_process("worker")
    return chance.choice([first, *first.children()])


def test_what_was_acknowledged_survives_every_kill(own_database: Stack) -> None:
    stack, chance = own_database, random.Random(7)
    key = stack.make_key(["ingest"])
    senders = [Sender(stack, key, number) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    victims = ["web", "worker", "postgres", "web", "worker", "postgres"]
    for victim in victims:
        until_more_is_acknowledged(senders)
        time.sleep(chance.uniform(0.0, 0.5))
        with suppress(psutil.Error, KeyError, IndexError):  # it may be starting again just now
            if victim == "postgres":
                backend(stack, chance).kill()
            elif victim == "worker":
                a_worker(stack, chance).kill()
            else:
                stack.kill(victim)
    until_more_is_acknowledged(senders)
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(30)
    stack.wait_ready(60)

    log = [body for sender in senders for body in sender.acknowledged]
    assert any(status != 200 for sender in senders for status in sender.answers), "nothing was interrupted"
    assert {status for sender in senders for status in sender.answers} <= {0, 200, 503}
    for body in log:
        status, said = post(stack, key, body)
        assert (status, said["duplicate"]) == (200, PER_BATCH), "an acknowledged event was not in the ledger"
    until_folded(stack)
    assert "agree" in stack.manage("check_ledger")


def until_more_is_acknowledged(senders: list[Sender], more: int = 8, seconds: float = 60) -> None:
    """Wait until the senders got on by some batches: a kill before that would show nothing."""
    enough = sum(len(sender.acknowledged) for sender in senders) + more
    deadline = time.monotonic() + seconds
    while sum(len(sender.acknowledged) for sender in senders) < enough:
        statuses = Counter(status for sender in senders for status in sender.answers)
        assert time.monotonic() < deadline, f"no progress: {statuses}\n{senders[0].stack.tail()}"
        time.sleep(0.05)


def until_folded(stack: Stack, seconds: float = 60) -> None:
    """Wait until the sweeper has folded everything."""
    deadline = time.monotonic() + seconds
    while waiting_to_be_folded(stack) != 0:
        assert time.monotonic() < deadline, f"the backlog is not folded\n{stack.tail()}"
        time.sleep(0.5)


def waiting_to_be_folded(stack: Stack) -> int:
    """Events, as /readyz says; -1 while it cannot say."""
    try:
        with urllib.request.urlopen(f"{stack.base_url}/readyz", timeout=5) as answer:
            return json.loads(answer.read())["checks"]["folding"]["events"]
    except OSError:
        return -1


def started_with_small_files(stack: Stack, limit: int) -> None:
    """Start with a limit on the size of a file, which children inherit: PostgreSQL's `write` then fails beyond it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        stack.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_refuses_a_write_is_503_and_nothing_is_acknowledged(own_database: Stack) -> None:
    stack = own_database
    key = stack.make_key(["ingest"])
    stack.stop()
    started_with_small_files(stack, 16 * 2**20)  # a WAL segment still fits; the ledger's file soon does not
    status, said, taken, refused = 200, {}, [], b""
    for n in range(60):
        batch = [{**event, "id": f"{n}-{k}-{event['id']}"} for k in range(100) for event in a_batch(9, n)]
        refused = json.dumps(batch).encode()
        status, said = post(stack, key, refused)
        if status != 200:
            break
        taken.append(refused)
    assert status == 503, f"after {len(taken)} batches: {said}"
    assert said["type"].endswith("unavailable")
    stack.restart()
    for body in taken:
        assert post(stack, key, body)[1]["duplicate"] == 100 * PER_BATCH
    status, said = post(stack, key, refused)
    assert (status, said["accepted"]) == (200, 100 * PER_BATCH), "nothing of the refused batch had been kept"
    until_folded(stack)
