"""`PolicyClient` in the background: it waits for changes, reports, comes back after faults, and lives through forks."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_server import PAUSED, SmallServer, bundle, until
from tokenops_sdk import PolicyClient, Request
from tokenops_sdk.backing_off import pause, retry_after

FOLDER = Path(__file__).parents[1]  # of the package
CALL = Request(workflow="briefs", model="small", provider="openai", input_tokens=1000, output_tokens=100)


def test_a_change_is_obeyed_while_waiting(server, make):
    client = make(follow=True, wait=20)
    assert client.wait_ready(5)
    until(lambda: any("prefer" in one for one in server.asked("/api/v1/policy-bundle")))
    time.sleep(0.05)
    began = time.monotonic()
    server.publish(bundle(2, blocked=PAUSED))
    until(lambda: client.decide(CALL).action == "block")
    assert time.monotonic() - began < 1
    assert len(server.requests) < 10


def test_waiting_goes_to_the_push_server_without_the_key(make):
    server = SmallServer(waits_elsewhere=True)
    try:
        client = make(server.url, follow=True)
        assert client.wait_ready(5)
        until(lambda: [one for one in server.asked("/api/v1/policy-bundle") if str(server.push_port) in one["host"]])
        for headers in server.asked("/api/v1/policy-bundle"):
            assert ("authorization" in headers) == (headers["host"].endswith(f":{server.port}"))
        server.publish(bundle(2))
        until(lambda: client.state().revision == "1:2")
    finally:
        server.stop()


def test_it_comes_back_after_faults_with_longer_pauses(server, make):
    server.status = 500
    client = make(follow=True)
    until(lambda: client.state().failures >= 3, 10)
    assert len(server.asked("/api/v1/policy-bundle")) <= 4
    server.status = 0
    assert client.wait_ready(10)
    assert client.state().failures == 0


def test_a_server_that_answers_at_once_is_not_asked_at_once(server, make):
    client = make(follow=True, wait=0)
    assert client.wait_ready(5)
    time.sleep(0.5)
    assert len(server.asked("/api/v1/policy-bundle")) <= 2


def test_status_reports(server, make):
    heard = []
    client = make(follow=True, name="gateway-1", on_change=heard.append)
    first = until(lambda: server.reports)[0]
    assert first == {
        "client": "gateway-1", "software": first["software"], "epoch": 1, "revision": 1, "answer": "ack",
        "refused_epoch": None, "refused_revision": None, "error": "",
    }  # fmt: skip
    assert first["software"].startswith("tokenops-sdk/")
    until(lambda: any("prefer" in one for one in server.asked("/api/v1/policy-bundle")))
    server.publish(bundle(2, audience="others"))
    nack = until(lambda: [one for one in server.reports if one["answer"] == "nack"])[0]
    assert (nack["revision"], nack["refused_epoch"], nack["refused_revision"]) == (1, 1, 2)
    assert "others" in nack["error"]
    assert [state.revision for state in heard] == ["1:1", "1:1"]
    assert client.state().last_error


def test_a_server_without_reports_is_left_alone(server, make, monkeypatch):
    client = make()
    client._reports.add({"answer": "ack"})
    client._reports.sent(client._reports.waiting[0], 404)
    client._reports.add({"answer": "ack"})
    assert client._reports.first() is None


def test_it_works_on_in_a_forked_child(server, make):
    client = make(follow=True, name=None)
    assert client.wait_ready(5)
    server.publish(bundle(2, blocked=PAUSED))
    until(lambda: client.state().revision == "1:2")
    came, told = os.pipe()
    child = os.fork()
    if child == 0:
        verdict = b"no"
        try:
            verdict = b"ok" if client.decide(CALL).action == "block" else b"held"
            os.write(told, b"!")
            verdict = b"waits"
            until(lambda: client.state().revision == "1:3", 10)
            verdict = (
                b"ok"
                if client.decide(CALL).allowed and not client._reports.name.endswith(str(os.getppid()))
                else b"new"
            )
        finally:
            os.write(told, verdict)
            os._exit(0)
    assert os.read(came, 1) == b"!"
    server.publish(bundle(3))
    os.waitpid(child, 0)
    assert os.read(came, 10) == b"ok"
    until(lambda: client.state().revision == "1:3")


def test_closing_is_quick_and_decisions_go_on(server, make):
    client = make(follow=True)
    assert client.wait_ready(5)
    until(lambda: any("prefer" in one for one in server.asked("/api/v1/policy-bundle")))
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 1
    assert client.decide(CALL).allowed


def test_a_program_ends_while_its_client_waits(server):
    code = (
        "from tokenops_sdk import PolicyClient\n"
        f"client = PolicyClient({server.url!r}, 'tok')\n"
        "assert client.wait_ready(10)\nprint(client.state().revision)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1:1\n", "")
    assert time.monotonic() - began < 15


def test_decisions_from_many_threads_while_bundles_change(server, make):
    client = make(follow=True)
    assert client.wait_ready(5)
    wrong, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            decision = client.decide(CALL)
            if decision.allowed != (int(decision.revision.split(":")[1]) % 2 == 1):
                wrong.append(decision)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for revision in range(2, 8):
        server.publish(bundle(revision, blocked=PAUSED if revision % 2 == 0 else []))
        until(lambda revision=revision: client.state().revision == f"1:{revision}")
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_from_the_environment(monkeypatch, server):
    with pytest.raises(ValueError, match="TOKENOPS_URL"):
        PolicyClient.from_environment(follow=False)
    monkeypatch.setenv("TOKENOPS_URL", server.url + "/")
    monkeypatch.setenv("TOKENOPS_KEY", "tok")
    monkeypatch.setenv("TOKENOPS_AUDIENCE", "acme")
    client = PolicyClient.from_environment(follow=False)
    assert client.url == server.url
    assert "not for 'acme'" in client.refresh().last_error


# Pauses


def test_pauses_grow_spread_and_end():
    assert all(0.25 <= pause(1) <= 0.5 for _ in range(50))
    assert all(15 <= pause(1000) <= 30 for _ in range(50))
    assert len({pause(5) for _ in range(20)}) > 10
    assert all(7 <= pause(1, 7.0) <= 8.75 for _ in range(50))


def test_retry_after_is_read_in_both_forms():
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert retry_after("7") == 7
    assert retry_after("Sun, 22 Nov 2026 12:00:30 GMT", now) == 30
    assert retry_after("Sun, 22 Nov 2026 11:00:00 GMT", now) == 0.1
    assert retry_after("86400") == 300
    assert [retry_after(one) for one in (None, "", "soon", "-3", "²")] == [None] * 5
