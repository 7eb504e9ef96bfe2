"""What the system may refuse or do at a bad moment: no thread, a fork while a lock is held, a neighbour that stands."""

import json
import os
import threading
import time
from dataclasses import replace

import pytest
from small_server import SmallServer, until
from tokenops_sdk import Request, Run, UsageReporter
from tokenops_sdk import keeping as keeping_module
from tokenops_sdk import reporter as reporter_module
from tokenops_sdk import run as run_module
from tokenops_sdk import spool as spool_module
from tokenops_sdk.events import event_for
from tokenops_sdk.following import Kept, decide_without_bundle
from tokenops_sdk.keeping import Shelf
from tokenops_sdk.locking import FileLock
from tokenops_sdk.spool import REJECTED

CALL = Request(workflow="briefs", model="small", provider="openai", input_tokens=1000, output_tokens=100)
KEPT = Kept(b"{}", "s", "f", {"keys": []}, (1, 1))


@pytest.fixture
def make_reporter(server, tmp_path, monkeypatch):
    monkeypatch.setattr(reporter_module, "TICK", 0.05)
    made = []

    def make(**options):
        made.append(UsageReporter(server.url, "tok", **{"spool_dir": tmp_path / "spool", **options}))
        return made[-1]

    yield make
    for reporter in made:
        reporter.close(0)


@pytest.fixture
def no_threads(monkeypatch):
    """Until its `undo`, the system starts no thread of ours."""
    start = threading.Thread.start

    def refuse(self):
        if self.name.startswith("tokenops"):
            raise RuntimeError("can't start new thread")
        start(self)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield patch


def test_what_is_recorded_without_a_thread_goes_when_there_is_one(server, make_reporter, no_threads):
    reporter = make_reporter()
    assert reporter.record({"id": "first", "model": "small"})
    no_threads.undo()
    assert reporter.record({"id": "second", "model": "small"})
    until(lambda: {one["id"] for one in server.events} == {"first", "second"})


def test_a_decision_needs_no_thread(server, make, no_threads):
    client = make(follow=True)
    client.refresh()
    assert client.decide(CALL).allowed
    no_threads.undo()
    assert client.decide(CALL).allowed
    until(lambda: server.reports)


def test_a_lock_that_was_given_back_is_free_though_a_child_was_forked_meanwhile(tmp_path):
    lock = FileLock.take(tmp_path / "lock")
    came, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(came, 1)  # it has a copy of the descriptor all the while
        os._exit(0)
    try:
        lock.release()
        again = FileLock.take(tmp_path / "lock")
        assert again is not None
        again.release()
    finally:
        os.write(told, b"!")
        os.waitpid(child, 0)


def test_a_neighbour_that_stands_still_does_not_stop_the_following(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping_module, "LOCK_SECONDS", 0.2)
    shelf = Shelf(tmp_path, "http://localhost", "tokenops")
    stands = FileLock.take(shelf.lock)
    began = time.monotonic()
    shelf.keep(KEPT)
    assert time.monotonic() - began < 2
    assert shelf.load() == KEPT
    stands.release()


def test_refused_events_take_no_room_from_those_to_come(server, make_reporter, tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "MAX_REJECTED_BYTES", 5_000)
    heard = []
    server.judge = lambda events: {
        "accepted": 0, "duplicate": 0, "conflict": 0, "rejected": len(events),
        "items": [{"index": n, "status": "rejected", "problem": {"title": "Bad"}} for n in range(len(events))],
    }  # fmt: skip
    reporter = make_reporter(max_spool_bytes=4_000, on_problem=lambda sentence, _: heard.append(sentence))
    for n in range(100):
        assert reporter.record({"id": f"e-{n}", "model": "small"})
        assert reporter.flush()
    assert reporter.state().rejected == 100
    assert len(heard) == 100  # each is told of
    kept = (tmp_path / "spool" / REJECTED).read_bytes()
    assert 4_000 < len(kept) <= 5_000
    assert all(json.loads(line)["problem"] for line in kept.splitlines())


def test_record_call_raises_nothing(make_reporter):
    heard = []
    reporter = make_reporter(on_problem=lambda sentence, _: heard.append(sentence))
    assert not reporter.record_call(CALL, replace(decide_without_bundle(CALL, "allow"), leases=(None,)))
    assert not reporter.record_call(replace(CALL, tags=["no", "pairs"]))
    assert len(heard) == 2


def test_an_event_names_as_many_leases_as_fit():
    leases = [{"kind": "calls", "workflow": "briefs", "lease_id": "c" * 20}]
    leases += [{"kind": "money", "budget": f"b{n}", "lease_id": f"{n:020}"} for n in range(8)]
    leases.insert(3, {"kind": "money", "budget": "none"})  # made without
    decision = replace(decide_without_bundle(CALL, "allow"), leases=tuple(leases))
    assert event_for(CALL, decision)["lease_id"] == " ".join(f"{n:020}" for n in range(6))
    calls_only = replace(decision, leases=(leases[0],))
    assert "lease_id" not in event_for(CALL, calls_only)


def test_public_keys_are_taken_from_the_servers_own_address_only(server, make):
    """Who can send a client elsewhere must not be able to say whose signatures count."""
    elsewhere = SmallServer()
    try:
        elsewhere.signer = server.signer
        server.sends_keys_to = elsewhere.url
        elsewhere.keys = [server.signer.public]
        client = make()
        assert client.refresh().revision is None
        assert elsewhere.requests == []
        server.sends_keys_to = ""
        assert client.refresh().revision == "1:1"
    finally:
        elsewhere.stop()


def test_a_run_without_end_does_not_remember_all_its_calls(make, server, monkeypatch):
    monkeypatch.setattr(run_module, "REMEMBERED", 50)
    client = make()
    client.refresh()
    run = Run(client, "briefs")
    for _ in range(200):
        last = run.ask(model="small", input_tokens=1)
        run.record(last, input_tokens=1, output_tokens=1)
    assert len(run._asked) == 50
    assert run.so_far().steps == 200
    assert run.ask(again=last).allowed
