"""Processes that share a spool: killed, forked, short-lived. Nothing is lost, nothing is taken from the living."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_server import until
from small_spool import FOLDER, event, hurry, reporters, spooled
from tokenops_sdk.spool import Lane


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    hurry(monkeypatch)


@pytest.fixture
def make(server, tmp_path):
    with reporters(server.url, tmp_path / "spool") as make:
        yield make


def writer(folder: Path, url: str, name: str, count: int = 10**9) -> subprocess.Popen:
    """A process that records, and prints the number of each event once `record` returned for it."""
    code = (
        "import sys\nfrom tokenops_sdk import UsageReporter, reporter\n"
        f"reporter.TICK = 0.05\nmade = UsageReporter({url!r}, 'tok', spool_dir={str(folder)!r})\n"
        f"for n in range({count}):\n"
        f"    if made.record({{'id': f'{name}-{{n}}', 'model': 'small', 'input_tokens': n}}):\n"
        f"        print(f'{name}-{{n}}', flush=True)\n"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=FOLDER, stdout=subprocess.PIPE, text=True)


def test_killed_processes_lose_nothing_that_record_returned_for(server, make, tmp_path):
    """Four processes share a spool and are killed under load, one after the other, while the server comes and goes."""
    folder = tmp_path / "spool"
    promised, processes, readers = set(), [], []
    for name in "abcd":
        process = writer(folder, server.url, name)
        reader = threading.Thread(target=lambda process=process: promised.update(x.strip() for x in process.stdout))
        reader.start()
        processes.append(process)
        readers.append(reader)
    until(lambda: len(promised) > 2000, 20)
    server.status = 503
    for process in processes:
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        server.status = 0 if server.status else 503
    for process, reader in zip(processes, readers, strict=True):
        process.wait()
        reader.join()
    server.status = 0
    assert spooled(folder)  # something was left to lose
    make()
    until(lambda: promised <= {one["id"] for one in server.events}, 20)
    until(lambda: not list(folder.glob("*.jsonl")) and len(list(folder.glob("*.lock"))) <= 1, 5)
    assert len(server.events) - len(promised) <= 4  # each may have died between the write and the print
    sent = [json.loads(gzip.decompress(body)) for method, _, _, body in server.requests if method == "POST"]
    assert all(len(batch) <= 1000 for batch in sent)


def test_a_process_that_lives_is_not_robbed(server, make, tmp_path):
    server.status = 503
    first = make()
    first.record(event(1))
    until(lambda: first.state().last_error)
    lane = first._lane.name
    second = make()
    second.record(event(2))
    time.sleep(0.3)
    assert [one.name for one in Lane.left(tmp_path / "spool")] == []
    assert first._lane.name == lane
    server.status = 0
    assert first.flush()
    assert second.flush()
    assert sorted(one["id"] for one in server.events) == ["e-1", "e-2"]
    assert sum(len(json.loads(gzip.decompress(b))) for m, _, h, b in server.requests
               if m == "POST" and b) >= 2  # fmt: skip


def test_a_forked_child_writes_its_own(server, make, tmp_path):
    server.status = 503
    reporter = make()
    reporter.record(event(1))
    child = os.fork()
    if child == 0:
        try:
            reporter.record(event(2))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    reporter.record(event(3))
    assert len({path.name.rpartition("-")[0] for path in (tmp_path / "spool").glob("*.jsonl")}) == 2
    server.status = 0
    until(lambda: sorted(one["id"] for one in server.events) == ["e-1", "e-2", "e-3"], 10)


def test_a_child_that_lives_on_does_not_keep_its_dead_parent_s_events(server, make, tmp_path):
    code = (
        "import os, time\nfrom tokenops_sdk import UsageReporter\n"
        f"made = UsageReporter({server.url!r}, 'tok', spool_dir={str(tmp_path / 'spool')!r})\n"
        "made.record({'id': 'parent', 'model': 'small'})\n"
        "child = os.fork()\nprint(child or '', end='', flush=True)\ntime.sleep(60)\n"
    )
    server.status = 503
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=FOLDER, stdout=subprocess.PIPE)
    child = int(os.read(parent.stdout.fileno(), 20))
    try:
        parent.kill()
        parent.wait()
        server.status = 0
        make()
        until(lambda: server.events)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_short_program_sends_before_it_ends(server, tmp_path):
    done = writer(tmp_path / "spool", server.url, "a", 3)
    assert done.communicate(timeout=20)[0].split() == ["a-0", "a-1", "a-2"]
    assert len(server.events) == 3
    assert list((tmp_path / "spool").iterdir()) == []
