"""Bad input against the running server: clear answers, never a 5xx, never half a batch, bounded memory."""

import contextlib
import gzip
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.stack import Stack

pytestmark = [pytest.mark.server, pytest.mark.timeout(280)]
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    return stack.make_key(["ingest", "bundle", "read", "admin"])


def event(event_id: str, **values: object) -> dict[str, object]:
    return {"id": event_id, "time": datetime.now(UTC).isoformat(), "model": "m", **values}


def post(stack: Stack, key: str, body: bytes | Iterator[bytes], **headers: str) -> tuple[int, dict, str]:
    """Status, answer and content type."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    try:
        every = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
        # Refused while we were still sending: the answer is there all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", "/api/v1/events", body, every, encode_chunked=not isinstance(body, bytes))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers["Content-Type"]
    finally:
        connection.close()


def web_memory(stack: Stack) -> int:
    """Bytes resident in the web server's processes."""
    first = stack.main_process("web")
    return sum(process.memory_info().rss for process in (first, *first.children(recursive=True)))


def spaces(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes):
        yield b" " * MEGABYTE


def test_a_body_of_a_gigabyte_is_413_and_is_not_kept_in_memory(stack: Stack, key: str) -> None:
    before = web_memory(stack)
    for declared in ({"Content-Length": str(2**30)}, {"Transfer-Encoding": "chunked"}):
        chunked = "Transfer-Encoding" in declared
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
        connection.putrequest("POST", "/api/v1/events")
        for name, value in {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **declared}.items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            for chunk in spaces(1024):
                connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            assert connection.getresponse().status == 413
        except (ConnectionResetError, http.client.RemoteDisconnected):
            pass  # the server closed on a client that would not stop sending; the kernel may drop the answer with it
        finally:
            connection.close()
        assert stack.status("/healthz") == 200
    assert web_memory(stack) - before < 200 * MEGABYTE


def test_a_gzip_bomb_is_413(stack: Stack, key: str) -> None:
    before = web_memory(stack)
    bomb = gzip.compress(b" " * 200 * MEGABYTE, compresslevel=1)
    status, said, content_type = post(stack, key, bomb, **{"Content-Encoding": "gzip"})
    assert (status, content_type) == (413, "application/problem+json")
    assert said["type"].endswith("too-large")
    assert web_memory(stack) - before < 100 * MEGABYTE


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 1_000_000, 400),
        (b'{"id":' * 1_000_000, 400),
        (b"\x00\x01\x02", 400),
        (b"", 400),
        (b"null", 400),
        (b'{"id":"a","time":"2026-11-18T00:00:00Z","model":"m\x00"}', 400),
        (json.dumps(event("nul", model="m\0")).encode(), 207),
        (json.dumps(event("huge", input_tokens=10**400)).encode(), 207),
        (json.dumps(event("float", input_tokens=1.5)).encode(), 207),
        (json.dumps(event("negative", output_tokens=-1)).encode(), 207),
        (json.dumps(event("future", time=(datetime.now(UTC) + timedelta(days=2)).isoformat())).encode(), 207),
        (json.dumps(event("past", time="0001-01-01T00:00:00+14:00")).encode(), 207),
        (json.dumps(event("tags", tags={str(n): "x" for n in range(33)})).encode(), 207),
        (json.dumps(event("wrong", tags=[1])).encode(), 207),
        (json.dumps(event("cost", cost_usd="1e999999")).encode(), 207),
        (json.dumps(event("units", units={"x": "1e-999999"})).encode(), 207),
        (json.dumps([[[[]]], None, 1, "x", {}]).encode(), 207),
    ],
    ids=[f"body{n}" for n in range(17)],  # the bodies hold the time of day
)
def test_hostile_bodies_have_clear_answers(stack: Stack, key: str, body: bytes, status: int) -> None:
    found, said, content_type = post(stack, key, body)
    assert found == status, said
    if status == 207:
        assert said["accepted"] == 0
        assert all(item["problem"]["detail"] for item in said["items"])
    else:
        assert content_type == "application/problem+json"
        assert said["detail"]


def test_many_distinct_tags_do_not_grow_the_server(stack: Stack, key: str) -> None:
    def send(round_: int) -> None:
        batch = [
            event(f"t{round_}-{n}", tags={f"k{m}": f"v{round_}-{n}-{m}" for m in range(32)}) for n in range(500)
        ]  # fmt: skip
        assert post(stack, key, json.dumps(batch).encode())[0] == 200

    for round_ in range(4):
        send(round_)
    before = web_memory(stack)
    for round_ in range(4, 16):
        send(round_)
    assert web_memory(stack) - before < 60 * MEGABYTE, "192,000 more distinct tags"


def test_schemathesis_finds_no_server_error(stack: Stack, key: str) -> None:
    """Every operation of the published schema, with values made to match it and values made not to."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{stack.base_url}/api/schema/?format=json",
            "--header",
            f"Authorization: Bearer {key}",
            "--checks",
            "not_a_server_error",
            "--mode",
            "all",
            "--max-examples",
            "3",
            "--phases",
            "examples,fuzzing",
            "--no-color",
            "--request-timeout",
            "20",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=270,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
