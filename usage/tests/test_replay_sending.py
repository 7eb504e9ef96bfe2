"""Pacing, the HTTP sender against a scripted server, and the `replay` command as a person runs it."""

import gzip
import itertools
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from usage.replay import pacing
from usage.replay.sender import EventSender, GaveUp, Refused, wait_asked

SAMPLES = Path(__file__).parent / "samples"
T0 = datetime(2026, 3, 1, tzinfo=UTC)
Reply = tuple[int, dict[str, str], Any] | None  # None: close the connection without an answer


class Scripted:
    """A server that takes events the way TokenOps does, after the scripted replies are used up."""

    def __init__(self) -> None:
        self.replies: list[Reply | Callable[[list[dict[str, Any]]], Reply]] = []
        self.requests: list[list[dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.taken: dict[str, dict[str, Any]] = {}
        self.moments: list[float] = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                reply = scripted.answer(json.loads(body), dict(self.headers), self.client_address)
                if reply is None:
                    self.close_connection = True
                    return
                status, headers, document = reply
                text = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, events: list[dict[str, Any]], headers: dict[str, str], client: Any) -> Reply:
        self.requests.append(events)
        self.headers.append(headers)
        self.connections.add(client)
        self.moments.append(time.monotonic())
        if self.replies:
            reply = self.replies.pop(0)
            return reply(events) if callable(reply) else reply
        return 200, {}, self.take(events)

    def take(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        items = [
            {"index": n, "id": event["id"], "status": "duplicate"}
            for n, event in enumerate(events)
            if event["id"] in self.taken
        ]
        self.taken.update((event["id"], event) for event in events)
        return {"accepted": len(events) - len(items), "duplicate": len(items), "items": items}


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    one = Scripted()
    yield one
    one.server.shutdown()
    one.server.server_close()


def sender(scripted: Scripted, **changes: Any) -> EventSender:
    return EventSender(scripted.url, "tok_test", **{"rest": lambda _seconds: None, **changes})


def test_retries_until_answered_with_the_same_ids_and_obeys_retry_after(scripted: Scripted) -> None:
    def taken_but_answer_lost(events: list[dict[str, Any]]) -> Reply:
        scripted.take(events)
        return None

    scripted.replies = [
        (503, {"Retry-After": "7"}, {"title": "Busy"}),
        (429, {}, b"not json"),
        taken_but_answer_lost,
    ]
    waits: list[tuple[str, float]] = []
    one = sender(scripted, told=lambda reason, seconds: waits.append((reason, seconds)))
    answer = one.send([b'{"id":"a"}', b'{"id":"b"}'])
    assert (answer.accepted, answer.duplicate) == (0, 2)
    assert list(scripted.taken) == ["a", "b"]
    assert len({json.dumps(request) for request in scripted.requests}) == 1
    assert waits[0] == ("503: Busy", 7.0)
    assert [reason.split(" ")[0] for reason, _ in waits[1:]] == ["429:", "no"]
    assert one.retries == 3


def test_keeps_the_connection_and_packs_what_is_worth_packing(scripted: Scripted) -> None:
    one = sender(scripted)
    one.send([b'{"id":"small"}'])
    one.send([b'{"id":"%d","tags":{"k":"%s"}}' % (n, b"v" * 50) for n in range(100)])
    assert len(scripted.connections) == 1
    assert ["Content-Encoding" in headers for headers in scripted.headers] == [False, True]
    assert all(headers["Authorization"] == "Bearer tok_test" for headers in scripted.headers)


def test_halves_what_is_too_large_and_keeps_the_places_right(scripted: Scripted) -> None:
    def at_most_two(events: list[dict[str, Any]]) -> Reply:
        if len(events) > 2:
            return 413, {}, {"title": "Too large"}
        refused = [{"index": 1, "id": events[1]["id"], "status": "rejected", "problem": {"detail": "bad"}}]
        return 207, {}, {"accepted": 1, "rejected": 1, "items": refused}

    scripted.replies = [at_most_two] * 3
    answer = sender(scripted).send([b'{"id":"%d"}' % n for n in range(4)])
    assert (answer.accepted, answer.rejected) == (2, 2)
    assert [(item.index, item.id) for item in answer.items] == [(1, "1"), (3, "3")]


@pytest.mark.parametrize(
    ("status", "document", "says"),
    [
        (401, {"title": "Unknown key", "detail": "No such key."}, "401: Unknown key: No such key"),
        (403, b"", "403: the key may not do this"),
        (404, b"<html>", "404: no TokenOps there"),
        (400, {"detail": "nested too deeply"}, "nested too deeply"),
        (200, b"<html>hello", "something else than TokenOps"),
    ],
)
def test_a_refusal_ends_it_with_the_servers_sentence(scripted: Scripted, status: int, document: Any, says: str) -> None:
    scripted.replies = [(status, {}, document)]
    with pytest.raises(Refused, match=says):
        sender(scripted).send([b"{}"])
    assert len(scripted.requests) == 1


def test_gives_up_when_nobody_answers_for_long_enough() -> None:
    one = EventSender("http://127.0.0.1:1", "k", patience=1.0, rest=lambda _seconds: None)
    with pytest.raises(GaveUp, match=r"took nothing.*Connection"):
        # Each wait is only planned, so patience ends when a planned wait would pass it.
        one.send([b"{}"])
    assert 1 <= one.retries <= 4


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "", "http://"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(Refused, match="no http"):
        EventSender(url, "k")


def test_retry_after_is_a_number_or_a_date() -> None:
    assert [wait_asked(text) for text in (None, "", "soon", "3", "-1")] == [None, None, None, 3.0, 0.0]
    assert (
        20 < (wait_asked((datetime.now(UTC) + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")) or 0) <= 30
    )


def timed(*seconds: float) -> Iterator[dict[str, Any]]:
    return iter({"id": str(n), "time": T0 + timedelta(seconds=second)} for n, second in enumerate(seconds))


def test_a_rate_spreads_calls_evenly_and_gathers_a_slots_calls_into_one_request() -> None:
    due = [(round(at, 3), len(batch)) for at, batch in pacing.batches(timed(*range(25)), pacing.at_rate(10), 100)]
    assert due == [(0.2, 3), (0.5, 3), (0.8, 3), (1.1, 3), (1.4, 3), (1.7, 3), (2.0, 3), (2.3, 3), (2.4, 1)]


def test_speed_keeps_the_traces_rhythm_and_never_goes_back() -> None:
    due = pacing.batches(timed(0, 10, 8, 60), pacing.at_speed(10), 100)
    assert [(at, [event["id"] for event in batch]) for at, batch in due] == [(0, ["0"]), (1, ["1", "2"]), (6, ["3"])]


def test_unpaced_calls_travel_in_full_batches() -> None:
    sizes = [len(batch) for _, batch in pacing.batches(timed(*range(7)), pacing.at_once, 3)]
    assert sizes == [3, 3, 1]


def test_moved_calls_are_other_calls_and_ids_stay_within_their_length() -> None:
    events = [{"id": "x" * 128, "time": T0}, {"id": "y", "time": T0}]
    moved = list(pacing.moved(iter(events), lambda time: time + timedelta(days=2), "20260303T000000Z"))
    assert moved[1] == {"id": "y@20260303T000000Z", "time": T0 + timedelta(days=2)}
    assert len(moved[0]["id"]) == 128


def run(scripted: Scripted, *arguments: str) -> str:
    out = StringIO()
    call_command("replay", *arguments, "--url", scripted.url, "--key", "tok_x", stdout=out, stderr=out)
    return out.getvalue()


def test_replaying_twice_counts_once(scripted: Scripted) -> None:
    first = run(scripted, str(SAMPLES / "claude_code.jsonl"), "--workflow", "coding")
    assert "2 accepted, 0 duplicate" in first
    assert "12,304 input tokens (10,000 cached, 2,000 cache writes), 235 output tokens" in first
    assert "0 accepted, 2 duplicate" in run(scripted, str(SAMPLES / "claude_code.jsonl"), "--workflow", "coding")
    assert {event["workflow"] for event in scripted.taken.values()} == {"coding"}
    assert all(value is not None for event in scripted.taken.values() for value in event.values())


def test_shifted_calls_end_at_the_moment_given_and_can_be_resumed(scripted: Scripted) -> None:
    arguments = (str(SAMPLES / "azure.csv"), "--shift-to", "2026-11-20T12:00:00Z")
    assert "the last call is at 2026-11-20T12:00:00Z" in run(scripted, *arguments)
    assert "0 accepted, 3 duplicate" in run(scripted, *arguments)
    times = sorted(event["time"] for event in scripted.taken.values())
    assert times == ["2026-11-20T11:59:52.623456Z", "2026-11-20T11:59:52.623456Z", "2026-11-20T12:00:00Z"]


def test_a_shifted_replay_with_speed_happens_when_it_is_sent(scripted: Scripted) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    said = run(scripted, str(SAMPLES / "mooncake.jsonl"), "--shift-to", now.isoformat(), "--speed", "4")
    assert "the first call is at" in said
    times = sorted(datetime.fromisoformat(event["time"]) for event in scripted.taken.values())
    assert [(time - now).total_seconds() for time in times] == [0, 0.0625, 0.0625, 1.0]
    assert 0.9 < scripted.moments[-1] - scripted.moments[0] < 1.6


def test_a_rate_is_kept(scripted: Scripted) -> None:
    run(scripted, str(SAMPLES / "mooncake.jsonl"), "--rate", "8", "--batch", "1")
    gaps = [later - earlier for earlier, later in itertools.pairwise(scripted.moments)]
    assert len(gaps) == 3
    assert all(0.1 < gap < 0.5 for gap in gaps)


def test_limit_model_and_dry_run(scripted: Scripted) -> None:
    said = run(scripted, str(SAMPLES / "azure.csv"), "--limit", "2", "--model", "sonar", "--dry-run")
    assert "2 calls read" in said
    assert scripted.requests == []
    run(scripted, str(SAMPLES / "azure.csv"), "--limit", "2", "--model", "sonar")
    assert [(event["model"], "provider" in event) for event in scripted.taken.values()] == [("sonar", False)] * 2


def test_rejected_items_end_in_an_error_with_their_reasons(scripted: Scripted) -> None:
    def too_old(events: list[dict[str, Any]]) -> Reply:
        problem = {"type": "https://tokenops.dev/problems/too-old", "detail": "time is before 2024-09-13."}
        items = [{"index": n, "id": e["id"], "status": "rejected", "problem": problem} for n, e in enumerate(events)]
        return 207, {}, {"rejected": len(items), "items": items}

    scripted.replies = [too_old]
    out = StringIO()
    with pytest.raises(CommandError, match="Not everything was taken"):
        call_command("replay", str(SAMPLES / "azure.csv"), url=scripted.url, key="k", stdout=out)
    assert "3 × too-old: time is before 2024-09-13." in out.getvalue()
    assert "--shift-to now" in out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-file"], "cannot be read"),
        ([__file__], "none of the formats that can be replayed"),
        ([str(SAMPLES / "servegen.csv"), "--speed", "10"], "not in time order"),
        ([str(SAMPLES / "azure.csv"), "--batch", "0"], "--batch must be 1 or more"),
        ([str(SAMPLES / "azure.csv"), "--url", "nowhere"], "no http"),
        ([str(SAMPLES / "azure.csv"), "--rate", "-1"], "above zero"),
        ([str(SAMPLES / "azure.csv"), "--shift-to", "soon"], "write now, or a time"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(arguments: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("replay", *arguments, "--key", "k", stdout=StringIO())


def test_without_a_key_it_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKENOPS_KEY", raising=False)
    with pytest.raises(CommandError, match="create_api_key"):
        call_command("replay", str(SAMPLES / "azure.csv"), stdout=StringIO())
