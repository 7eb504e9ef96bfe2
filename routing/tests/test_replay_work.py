"""Replays as jobs: killed, raced, called off, taken over, sampled; on PostgreSQL, with processes of their own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection, connections
from django.utils import timezone

from budgets.access.problems import Problem
from budgets.models import AuditEntry
from routing.models import PolicyReplay, PolicyVersion
from routing.replay import ledger, take
from routing.replay.behind import Wanted, find_calls
from routing.replay.result import read
from routing.replay.take import ask, cancel, carry_out, replay_waiting
from routing.replay.words import headline
from routing.tests import replaying
from routing.tests.replaying import ACTOR, ENDS, STARTS

pytestmark = pytest.mark.django_db(transaction=True)
CALLS = 400

BEGIN = "import django; django.setup(); import sys, os, signal\n"
# A worker that dies at one step: what it does up to there is what any worker does.
DIE = """
from routing.replay import ledger, take
step = sys.argv[1]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
ledger.FETCHED = 50
read = ledger.read_calls
if step == "claimed":
    ledger.count_calls = die
elif step == "counted":
    ledger.read_calls = die
elif step == "midway":
    def some(window):
        for n, calls in enumerate(read(window, 50)):
            if n == 3:
                die()
            yield calls
    ledger.read_calls = some
elif step == "decided":
    take.result_of = die
take.replay_waiting()
"""
WORK = """
from routing.replay.take import replay_waiting
print("ready", flush=True); sys.stdin.readline()
print(replay_waiting(), flush=True)
"""


@pytest.fixture
def draft():
    version = replaying.company()
    replaying.add_calls(CALLS)
    return version


def start(script, *arguments):
    environment = os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tokenops_site.settings"}
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + script, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def database_url():
    values = connection.settings_dict
    host, port = values["HOST"], values["PORT"] or 5432
    password = f":{values['PASSWORD']}" if values["PASSWORD"] else ""
    if host.startswith("/"):
        return f"postgresql://{values['USER']}{password}@/{values['NAME']}?host={host}&port={port}"
    return f"postgresql://{values['USER']}{password}@{host}:{port}/{values['NAME']}"


def settled(seconds=10):
    """Take what waits, as soon as the server has noticed that the killed worker is gone."""
    until = time.monotonic() + seconds
    while (done := replay_waiting()) == 0:
        assert time.monotonic() < until, "the killed worker still has the lock"
        time.sleep(0.05)
    return done


@pytest.mark.server
@pytest.mark.parametrize("step", ["claimed", "counted", "midway", "decided"])
def test_a_killed_worker_loses_nothing(draft, step):
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    worker = start(DIE, step)
    assert worker.wait(60) == -signal.SIGKILL
    left = PolicyReplay.objects.get(pk=asked.pk)
    assert (left.state, left.result, left.finished_at) == ("running", None, None)
    assert left.done == {"midway": 150, "decided": CALLS}.get(step, 0)
    assert settled() == 1
    done = PolicyReplay.objects.get(pk=asked.pk)
    assert (done.state, done.calls, done.taken, done.done) == ("done", CALLS, CALLS, CALLS)
    undisturbed, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    replay_waiting()
    undisturbed.refresh_from_db()
    assert done.result == undisturbed.result
    assert read(done.result).total.happened.calls == CALLS


@pytest.mark.server
def test_of_two_workers_one_does_it(draft):
    asked = [ask(ACTOR, draft.pk, STARTS, ENDS, workflow)[0] for workflow in ("many-0", "many-1")]
    workers = [start(WORK) for _ in range(2)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    answers = [worker.communicate("\n", timeout=60)[0].strip() for worker in start_together(workers)]
    # The second may come when the first has done: then there is nothing left.
    assert sorted(answers) == ["0", "2"]
    for replay in asked:
        replay.refresh_from_db()
        assert (replay.state, replay.done) == ("done", replay.calls)
        assert replay.claimed_at < replay.finished_at


def start_together(workers):
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    return workers


def interrupting(monkeypatch, act, after=2):
    """Have `act` done by somebody else after some chunks."""
    whole = ledger.read_calls

    def some(window):
        for n, calls in enumerate(whole(window, 50)):
            if n == after:
                act()
            yield calls

    monkeypatch.setattr(ledger, "read_calls", some)


def test_called_off_midway(draft, monkeypatch):
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    interrupting(monkeypatch, lambda: cancel(ACTOR, asked.pk))
    assert replay_waiting() == 1
    asked.refresh_from_db()
    assert (asked.state, asked.result, asked.done) == ("cancelled", None, 100)
    assert asked.finished_at is not None
    assert list(AuditEntry.objects.filter(object_type="routing.policyreplay").values_list("act", flat=True)) == [
        "cancelled", "requested",
    ]  # fmt: skip
    assert replay_waiting() == 0
    assert cancel(ACTOR, asked.pk).state == "cancelled"


def test_what_has_ended_is_not_called_off(draft):
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    replay_waiting()
    with pytest.raises(Problem, match="is done"):
        cancel(ACTOR, asked.pk)
    with pytest.raises(Problem, match="no such preview"):
        cancel(ACTOR, asked.pk + 1)


def test_a_worker_that_lost_its_claim_writes_nothing_more(draft, monkeypatch):
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    later = timezone.now().replace(year=2040)
    interrupting(monkeypatch, lambda: PolicyReplay.objects.filter(pk=asked.pk).update(claimed_at=later))
    carry_out(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, asked.claimed_at, asked.result, asked.done) == ("running", later, None, 100)


def test_a_fault_is_on_the_replay_as_a_code_and_in_the_log(draft, monkeypatch, caplog):
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)

    def fault():
        raise ValueError("no such thing\nand more")

    interrupting(monkeypatch, fault)
    replay_waiting()
    asked.refresh_from_db()
    code = re.fullmatch(r"Something went wrong .* under the code ([0-9a-f]{8})\.", asked.problem)
    assert (asked.state, asked.result) == ("failed", None) and code
    (told,) = [one for one in caplog.records if code[1] in one.getMessage()]
    assert "no such thing" in str(told.exc_info[1]) and f"PolicyReplay {asked.pk}" in told.getMessage()


def test_what_always_kills_its_worker_is_given_up(draft):
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    long_ago = timezone.now() - take.GIVE_UP * 2
    PolicyReplay.objects.filter(pk=asked.pk).update(created_at=long_ago, claimed_at=long_ago, state="running")
    replay_waiting()
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert "Try fewer days" in asked.problem


def test_the_same_asked_for_twice_is_one(draft):
    found = []

    def one():
        try:
            found.append(ask(ACTOR, draft.pk, STARTS, ENDS))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({replay.pk for replay, _ in found}) == 1
    assert [new for _, new in found].count(True) == 1


def test_an_edit_meanwhile_is_what_is_tried(draft):
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    before = read_after(draft, asked)
    assert before.total.draft.blocked == 0
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
    document = {**draft.document, "tiers": draft.document["tiers"][:1]}  # the middle model is in no tier any more
    PolicyVersion.objects.filter(pk=draft.pk).update(document=document, edit_version=5)
    after = read_after(draft, asked)
    asked.refresh_from_db()
    assert asked.edit_version == 5
    assert after.total.draft.blocked == 134  # every third of 400


def read_after(draft, asked):
    replay_waiting()
    asked.refresh_from_db()
    return read(asked.result)


def test_a_sample_is_of_whole_runs_and_always_the_same(draft, monkeypatch):
    monkeypatch.setattr(take, "MOST_CALLS", 100)
    results = []
    for _ in range(2):
        asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS)
        results.append(read_after(draft, asked))
    assert results[0] == results[1]
    total = results[0].total
    assert (asked.calls, asked.taken, asked.done) == (CALLS, total.happened.calls, total.happened.calls)
    assert results[0].share == 2_500  # a hundred of four hundred
    assert 0 < asked.taken < CALLS
    seen = [found.call for found in find_calls(asked, Wanted())]
    runs = {call.run_id for call in seen}
    assert len(seen) == asked.taken == 10 * len(runs) == 10 * results[0].runs
    whole = CALLS * total.draft.cost // asked.taken
    said = headline(results[0], "1–31 Oct 2026", asked.calls)
    assert "about" in said
    assert f"${whole / 10**9:.2f}" in said


def test_windows_that_make_no_sense(draft):
    with pytest.raises(Problem):
        ask(ACTOR, draft.pk, ENDS, STARTS)
    with pytest.raises(Problem):
        ask(ACTOR, draft.pk, STARTS.replace(year=2020), ENDS)
    with pytest.raises(Problem):
        ask(ACTOR, draft.pk + 1000, STARTS, ENDS)


def test_only_the_newest_are_kept(draft, monkeypatch):
    monkeypatch.setattr(take, "KEPT", 2)
    for day in range(1, 6):
        ask(ACTOR, draft.pk, STARTS.replace(day=day), ENDS)
        replay_waiting()
    assert list(PolicyReplay.objects.values_list("starts_at__day", flat=True)) == [5, 4]


def test_of_one_workflow(draft):
    asked, _ = ask(ACTOR, draft.pk, STARTS, ENDS, "many-1")
    result = read_after(draft, asked)
    assert set(result.workflows) == {"many-1"}
    assert result.total.happened.calls == asked.calls == 130  # thirteen runs of forty
