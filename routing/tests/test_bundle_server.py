"""The bundle from the real processes: web, push, worker and beat."""

import asyncio
import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from tokenops_sdk import verify

pytestmark = pytest.mark.server
BUNDLE = "/api/v1/policy-bundle"
OF_THE_STACK = "datname = current_database() AND pid <> pg_backend_pid()"


class Got:
    """A whole answer."""

    def __init__(self, url, path=BUNDLE, method="GET", **headers):
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=70)
        given = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        connection.request(method, path, headers=given)
        answer = connection.getresponse()
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        connection.close()

    @property
    def document(self):
        return json.loads(self.body)

    def verified(self, jwks):
        return verify(
            self.body,
            self.headers["TokenOps-Signature"],
            jwks=jwks,
            audience="tokenops",
            freshness=self.headers["TokenOps-Freshness"],
        )


@pytest.fixture(scope="module")
def key(stack) -> str:
    made = f"Bearer {stack.make_key(['bundle'])}"
    deadline = time.monotonic() + 30
    # The keys come by a notice, the first bundle by the sweep.
    while any(Got(url, authorization=made).status != 200 for url in (stack.base_url, stack.push_url)):
        assert time.monotonic() < deadline, stack.tail()
        time.sleep(0.1)
    return made


@pytest.fixture
def database(stack) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(stack.database_url, autocommit=True)) as connection:
        yield connection


@contextmanager
def paused(database, slug) -> Iterator[float]:
    """A new workflow with its kill switch thrown; when."""
    database.execute(
        "INSERT INTO budgets_workflow (slug, name, status, value_weight, risk_categories, guardrails, paused_at, "
        "pause_reason, created_at) VALUES (%s, %s, 'draft', 1, '[]', '{}', now(), 'test', now())",
        [slug, slug],
    )
    try:
        yield time.monotonic()
    finally:
        database.execute("DELETE FROM budgets_workflow WHERE slug = %s", [slug])


def blocks(document, slug):
    return any(entry["scope"] == {"workflow": slug} for entry in document["blocked"])


def newest(stack, key):
    """The newest bundle, the same at web and push."""
    deadline = time.monotonic() + 10
    while True:
        both = [Got(url, authorization=key) for url in (stack.base_url, stack.push_url)]
        if both[0].body == both[1].body:
            return both[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_both_servers_answer_alike(stack, key):
    got = newest(stack, key)
    jwks = Got(stack.base_url, "/.well-known/jwks.json").document
    for url in (stack.base_url, stack.push_url):
        plain = Got(url, authorization=key)
        assert plain.verified(jwks).version == got.verified(jwks).version
        packed = Got(url, authorization=key, accept_encoding="gzip")
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["ETag"] != plain.headers["ETag"]
        for etag in (plain.headers["ETag"], packed.headers["ETag"], "*", f'"x", {plain.headers["ETag"]}'):
            unchanged = Got(url, authorization=key, if_none_match=etag)
            assert (unchanged.status, unchanged.body) == (304, b"")
            assert unchanged.headers["TokenOps-Freshness"]
        head = Got(url, method="HEAD", authorization=key)
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(plain.body)))
        assert Got(url).status == 401
        assert Got(url, method="POST", authorization=key).status == 405


@pytest.mark.parametrize("broken", ["Bearer", "Bearer \xe9", "Basic Zm9v", "Bearer " + "x" * 4000])
def test_broken_keys(stack, broken):
    assert Got(stack.base_url, authorization=broken).status == 401
    assert Got(stack.push_url, authorization=broken).status == 401


def test_notices_of_new_revisions_and_a_report_of_what_runs(stack, key, database):
    """As a client would: listen at the web server's word, hear, fetch, say that it obeys."""
    sent_on = Got(stack.base_url, f"{BUNDLE}/notices", authorization=key)
    assert sent_on.status == 307
    where = urlsplit(sent_on.headers["Location"])
    with closing(http.client.HTTPConnection(where.netloc, timeout=20)) as connection:
        connection.request("GET", f"{where.path}?{where.query}")
        stream = connection.getresponse()
        assert stream.headers["Content-Type"].startswith("text/event-stream")

        def heard() -> dict:
            while not (line := stream.readline().decode()).startswith("data: "):
                assert line, "the stream ended"
            return json.loads(line.removeprefix("data: "))

        first = heard()
        assert first["etag"] == newest(stack, key).headers["ETag"]
        with paused(database, "noticed"):
            at = time.monotonic()
            while not blocks(Got(stack.push_url, authorization=key).document, "noticed"):
                told = heard()
            assert told["revision"] > first["revision"]
            assert time.monotonic() - at < 10
    body = json.dumps({"client": "gw-1", "answer": "ack", "epoch": told["epoch"], "revision": told["revision"]})
    with closing(http.client.HTTPConnection(urlsplit(stack.base_url).netloc, timeout=20)) as connection:
        headers = {"Authorization": key, "Content-Type": "application/json"}
        connection.request("POST", f"{BUNDLE}/status", body, headers)
        assert connection.getresponse().status == 200
    query = "SELECT epoch, revision FROM routing_fleetclient WHERE client = 'gw-1'"
    assert database.execute(query).fetchone() == (told["epoch"], told["revision"])


def test_the_kill_switch_reaches_a_waiting_client(stack, key, database):
    held = newest(stack, key)
    came = {}

    def wait():
        etag, document = held.headers["ETag"], held.document
        while not blocks(document, "kill-me"):
            got = Got(stack.push_url, authorization=key, prefer="wait=30", if_none_match=etag)
            etag, document = got.headers["ETag"], got.document if got.status == 200 else document
        came["at"], came["applied"] = time.monotonic(), got.headers["Preference-Applied"]

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    with paused(database, "kill-me") as thrown:
        waiting.join(30)
    assert came["applied"] == "wait"
    assert came["at"] - thrown < 10  # the sweep comes every second; machines may be slow


def test_who_wants_to_wait_follows_a_ticket_to_the_push_server(stack, key):
    etag = newest(stack, key).headers["ETag"]
    sent = Got(stack.base_url, authorization=key, if_none_match=etag, prefer="wait=1")
    assert sent.status == 307
    where = urlsplit(sent.headers["Location"])
    assert where.port == stack.push_port
    # As clients do it: without Authorization, since the port differs.
    got = Got(stack.push_url, f"{where.path}?{where.query}", if_none_match=etag, prefer="wait=1")
    assert got.status in (200, 304)
    assert got.headers["Preference-Applied"] == "wait"


def transactions(database):
    """How many transactions this database has seen; a statement outside one counts as one."""
    database.execute("SELECT pg_stat_clear_snapshot()")
    seen = database.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").fetchone()
    return seen[0]


def test_confirming_an_unchanged_bundle_asks_the_database_nothing(stack, key, database):
    """2,000 answers beside the background's few transactions a second; a query each would be 2,000 more."""
    etag = newest(stack, key).headers["ETag"]
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    before, began = transactions(database), time.monotonic()
    for _ in range(2000):
        connection.request("GET", BUNDLE, headers={"Authorization": key, "If-None-Match": etag})
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 304)
    seconds = time.monotonic() - began + 2
    time.sleep(2)  # backends report their counters with a delay
    during = transactions(database) - before
    time.sleep(2)
    before = transactions(database)
    time.sleep(seconds)
    at_rest = transactions(database) - before
    assert during < at_rest + 500, f"{during} transactions beside {at_rest} at rest"


def test_two_hundred_wait_in_few_threads_and_all_are_woken(stack, key, database):
    etag = newest(stack, key).headers["ETag"]
    request = (
        f"GET {BUNDLE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {key}\r\n"
        f"If-None-Match: {etag}\r\nPrefer: wait=60\r\n\r\n"
    ).encode()

    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.push_port)
        writer.write(request)
        status = await reader.readline()
        writer.close()
        return status

    async def all_of_them():
        tasks = [asyncio.ensure_future(one()) for _ in range(220)]
        while True:
            held = await asyncio.to_thread(lambda: Got(stack.push_url, "/healthz").document["waiting"])
            if held == 220 or any(task.done() for task in tasks):
                break
            await asyncio.sleep(0.1)
        main = stack.main_process("push")
        threads = sum(process.num_threads() for process in [main, *main.children(recursive=True)])
        began = time.monotonic()
        with paused(database, "wake-all"):
            answers = await asyncio.wait_for(asyncio.gather(*tasks), 30)
        return held, threads, answers, time.monotonic() - began

    held, threads, answers, seconds = asyncio.run(all_of_them())
    assert held == 220
    assert threads < 20
    assert set(answers) == {b"HTTP/1.1 200 OK\r\n"}
    assert seconds < 15


def test_a_lost_database_connection_heals(stack, key, database):
    held = newest(stack, key)
    database.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OF_THE_STACK}")
    for url in (stack.base_url, stack.push_url):
        assert Got(url, authorization=key, if_none_match=held.headers["ETag"]).status in (200, 304)
    with paused(database, "after-the-cut"):
        deadline = time.monotonic() + 30
        while not blocks(newest(stack, key).document, "after-the-cut"):
            assert time.monotonic() < deadline, stack.tail()
            time.sleep(0.1)


def test_push_answers_who_waits_when_it_is_stopped(stack, key):
    etag = newest(stack, key).headers["ETag"]
    got = {}

    def wait():
        got["answer"] = Got(stack.push_url, authorization=key, prefer="wait=60", if_none_match=etag)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while Got(stack.push_url, "/healthz").document["waiting"] == 0 and waiting.is_alive():
        time.sleep(0.05)
    stack.main_process("push").terminate()
    waiting.join(30)
    assert got["answer"].status in (200, 304)
    deadline = time.monotonic() + 30
    while stack.status("/healthz", stack.push_url) != 200:
        assert time.monotonic() < deadline, "push did not come back"
        time.sleep(0.1)
