"""`UsageReporter` against a small server: nothing that `record` returned for is lost, and no caller is disturbed."""

import json
import logging
import os
import stat
import threading
import time
from datetime import datetime
from decimal import Decimal

import pytest
from small_server import until
from small_spool import event, hurry, rejected, reporters, spooled
from tokenops_sdk.events import line_of


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    hurry(monkeypatch)


@pytest.fixture
def make(server, tmp_path):
    with reporters(server.url, tmp_path / "spool") as make:
        yield make


def test_events_come_to_the_server_and_leave_the_disk(server, make, tmp_path):
    reporter = make()
    assert all(reporter.record(event(n)) for n in range(2500))
    assert reporter.flush()
    assert {one["id"] for one in server.events} == {f"e-{n}" for n in range(2500)}
    assert spooled(tmp_path / "spool") == []
    batches = server.asked("/api/v1/events")
    assert len(batches) <= 6
    assert batches[0]["content-encoding"] == "gzip"
    state = reporter.state()
    assert (state.recorded, state.sent, state.duplicates, state.dropped, state.last_error) == (2500, 2500, 0, 0, "")
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (tmp_path / "spool").iterdir())


def test_without_being_asked_a_batch_goes_within_a_tick(server, make):
    reporter = make()
    reporter.record(event())
    until(lambda: server.events, 2)


def test_it_is_on_disk_when_record_returns(server, make, tmp_path):
    server.status = 503
    reporter = make()
    reporter.record(event(7))
    (line,) = spooled(tmp_path / "spool")
    sent = json.loads(line)
    assert (sent["id"], sent["model"], sent["input_tokens"]) == ("e-7", "small", 7)
    assert datetime.fromisoformat(sent["time"]).tzinfo is not None


def test_record_neither_raises_nor_waits_for_the_network(make, caplog):
    # 192.0.2.0/24 is for documentation: nobody answers there.
    heard = []
    reporter = make(on_problem=lambda sentence, given: heard.append((sentence, given)))
    reporter._http.base_url = "http://192.0.2.1"
    began = time.monotonic()
    assert reporter.record(event())
    for bad in (None, "text", [], {}, {"model": ""}, {"model": 5}, {"model": "m", "x": object()},
                {"model": "m", "x": float("nan")}, {"model": "m", "time": datetime(2026, 1, 1)},  # noqa: DTZ001
                {"model": "m", "x": "y" * 70_000}, {"model": "m", "cost_usd": Decimal("NaN")},
                {"model": "\udc80"}):  # fmt: skip
        assert reporter.record(bad) is False, bad
    assert time.monotonic() - began < 1
    assert len(heard) == 12
    assert heard[3] == ("Not recorded: The event does not say its model.", {})
    assert reporter.state().dropped == 12


def test_a_callback_that_fails_disturbs_nobody(make, caplog):
    def fail(*_):
        raise RuntimeError("broken")

    with caplog.at_level(logging.ERROR, "tokenops_sdk"):
        assert make(on_problem=fail).record({}) is False
    assert "on_problem failed" in caplog.text


def test_a_disk_that_is_full_or_missing_is_said(make, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    reporter = make(spool_dir=tmp_path / "file" / "spool")
    with caplog.at_level(logging.WARNING, "tokenops_sdk"):
        assert reporter.record(event()) is False
    assert "Not recorded" in caplog.text


def test_a_write_that_fails_half_way_leaves_nothing_of_it(server, make, tmp_path, monkeypatch):
    server.status = 503
    reporter = make(on_problem=lambda *_: None)
    assert reporter.record(event(1))
    write = os.write
    monkeypatch.setattr("tokenops_sdk.spool.os.write", lambda descriptor, content: write(descriptor, content[:20]))
    assert reporter.record(event(2)) is False
    monkeypatch.undo()
    assert reporter.record(event(3))
    assert [json.loads(line)["id"] for line in spooled(tmp_path / "spool")] == ["e-1", "e-3"]


def test_the_spool_has_a_limit(server, make, tmp_path):
    server.status = 503
    heard = []
    reporter = make(max_spool_bytes=2000, on_problem=lambda sentence, _: heard.append(sentence))
    taken = [reporter.record(event(n)) for n in range(100)]
    assert taken.index(False) == sum(taken)
    assert 10 < sum(taken) < 30
    assert "2,000 bytes" in heard[0]
    server.status = 0
    assert reporter.flush()
    assert len(server.events) == sum(taken)
    until(lambda: reporter.record(event(101)), 2)  # there is room again


def test_while_the_server_is_away_they_wait_and_then_all_come(server, make, tmp_path):
    server.status = 500
    reporter = make()
    for n in range(50):
        reporter.record(event(n))
    until(lambda: reporter.state().last_error == "The server answered 500.")
    for n in range(50, 100):
        reporter.record(event(n))
    server.status = 0
    until(lambda: len(server.events) == 100, 10)
    assert spooled(tmp_path / "spool") == [] or until(lambda: not spooled(tmp_path / "spool"))


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503, 302])
def test_what_decides_nothing_is_sent_again(server, make, status):
    server.status, server.retry_after = status, "1" if status in (429, 503) else ""
    reporter = make()
    reporter.record(event())
    until(lambda: reporter.state().last_error)
    time.sleep(0.2)
    if status in (429, 503):
        assert len(server.asked("/api/v1/events")) == 1  # Retry-After is kept
    server.status = 0
    until(lambda: server.events, 6)


def test_refused_events_are_kept_with_the_reason(server, make, tmp_path):
    problem = {
        "type": "https://tokenops.dev/problems/cached-above-input",
        "title": "Event refused",
        "detail": "Cached.",
    }

    def some(events):
        return {
            "accepted": len(events) - 2, "duplicate": 0, "conflict": 1, "rejected": 1,
            "items": [{"index": 1, "id": "e-1", "status": "rejected", "problem": problem},
                      {"index": 3, "id": "e-3", "status": "conflict", "problem": {"title": "Conflict"}}],
        }  # fmt: skip

    server.judge = some
    heard = []
    reporter = make(on_problem=lambda sentence, given: heard.append(sentence))
    for n in range(5):
        reporter.record(event(n))
    assert reporter.flush()
    found = rejected(tmp_path / "spool")
    assert [(one["event"]["id"], one["status"]) for one in found] == [("e-1", "rejected"), ("e-3", "conflict")]
    assert found[0]["problem"] == problem
    assert heard == ["The server refused an event: Cached.", "The server refused an event: Conflict"]
    assert (reporter.state().sent, reporter.state().rejected) == (3, 2)
    assert len(server.asked("/api/v1/events")) == 1


@pytest.mark.parametrize("status", [400, 413])
def test_one_event_that_spoils_its_batch_is_found(server, make, tmp_path, status):
    taken = []

    def judge_batch(events):
        if any(one["id"] == "e-13" for one in events):
            return {"status": status, "type": "https://tokenops.dev/problems/x", "title": "No", "detail": "Not so."}
        taken.extend(one["id"] for one in events)
        return {"accepted": len(events), "duplicate": 0, "conflict": 0, "rejected": 0, "items": []}

    server.judge = judge_batch
    reporter = make(on_problem=lambda *_: None)
    for n in range(40):
        reporter.record(event(n))
    assert reporter.flush()
    assert sorted(taken) == sorted(f"e-{n}" for n in range(40) if n != 13)
    (only,) = rejected(tmp_path / "spool")
    assert (only["event"]["id"], only["problem"]["detail"]) == ("e-13", "Not so.")


def test_a_torn_last_line_was_promised_to_nobody(server, make, tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir()
    whole = line_of(event(1))
    (folder / "9-abc-00000001.jsonl").write_bytes(whole + b"\n" + line_of(event(2))[:10])
    make()
    until(lambda: server.events)
    until(lambda: not list(folder.glob("9-abc*")))
    assert [one["id"] for one in server.events] == ["e-1"]


def test_a_line_that_a_power_cut_left_unreadable_does_not_hold_up_the_rest(server, make, tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir()
    lines = [line_of(event(1)), b"\0\0\0\0", line_of(event(2))]
    (folder / "9-abc-00000001.jsonl").write_bytes(b"\n".join(lines) + b"\n")

    # The real server says 400 of a body that is no JSON; the small one raises, and so answers nothing.
    post = server.post

    def answer_400(request):
        try:
            post(request)
        except ValueError:
            body = json.dumps({"title": "No JSON"}).encode()
            request.send_response(400)
            request.send_header("Content-Type", "application/problem+json")
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

    server.post = answer_400
    make(on_problem=lambda *_: None)
    until(lambda: not list(folder.glob("*.jsonl")))
    assert sorted(one["id"] for one in server.events) == ["e-1", "e-2"]
    assert len(rejected(folder)) == 1


def test_after_closing_nothing_is_taken(server, make, tmp_path):
    reporter = make(on_problem=lambda *_: None)
    reporter.record(event())
    assert reporter.close()
    assert reporter.record(event(2)) is False
    assert len(server.events) == 1


def test_with_the_server_away_closing_keeps_them_for_the_next(server, make, tmp_path):
    server.status = 503
    reporter = make()
    reporter.record(event())
    assert reporter.close(0.2) is False
    until(lambda: reporter._lane is None)
    server.status = 0
    make()
    until(lambda: server.events)


def test_sync_each_waits_for_the_disk(server, make, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda one: (synced.append(threading.current_thread()), fsync(one)))
    server.status = 503
    make().record(event())
    assert threading.main_thread() not in synced
    make(sync_each=True).record(event())
    assert synced.count(threading.main_thread()) == 2  # the file, and its name in the folder


def test_each_second_what_was_written_goes_to_the_disk(server, make, monkeypatch):
    synced = []
    server.status = 503
    reporter = make()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(os.fstat(descriptor).st_ino), fsync(descriptor)))
    for n in range(1500):  # more than one part
        reporter.record(event(n))
    parts = {path.stat().st_ino for path in (reporter._folder).glob("*.jsonl")}
    assert len(parts) >= 2
    until(lambda: parts <= set(synced), 2)
    time.sleep(0.2)
    count = len(synced)
    time.sleep(0.2)
    assert len(synced) == count  # and no more, when nothing is new
