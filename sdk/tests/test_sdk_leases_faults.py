"""What must not stop, open or shut `Leases`: odd callers, faults, a server that is away or says nothing."""

import threading
from dataclasses import replace

import httpx
import pytest
from small_counter import Counter, problem
from small_server import until
from test_sdk_leases import CALL, CALLS, MONEY, TOKENS, Clock
from tokenops_sdk import Leases
from tokenops_sdk import leasing as leasing_module
from tokenops_sdk.following import Answer
from tokenops_sdk.slices import NANO


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def counter():
    return Counter()


@pytest.fixture
def leases(counter, clock):
    made = Leases(counter, name="gateway-1", clock=clock)
    made._run = lambda: None  # tests tend it themselves
    return made


def test_what_cannot_be_asked_for_one_subject_does_not_stop_the_others(counter, leases):
    """A caller's odd words must not open, or shut, what is counted for everybody else."""
    post = counter.post

    def refuse(path, body, **named):
        if body.get("environment") == "x" * 65:
            return problem(422, "invalid")
        return post(path, body, **named)

    counter.post, counter.free = refuse, 10 * NANO
    odd = replace(TOKENS, leases=({"kind": "tokens", "workflow": "briefs", "environment": "x" * 65},))
    for _ in range(3):
        assert leases.enforce(CALL, odd).leases == ()
    assert leases.enforce(CALL, MONEY).leases[0]["lease_id"] == "lease-1"
    counter.fail_mode = "block"
    text = leases.enforce(CALL, odd).reasons[-1].text
    assert text == "What this call needs cannot be reserved: The server answered 422: Not now."


def test_little_that_is_left_serves_smaller_calls(counter, leases):
    counter.answers = problem(429, "nothing-left", remaining=120, resets_at="2026-12-01T00:00:00Z")
    assert not leases.enforce(CALL, TOKENS).allowed
    counter.answers = None
    assert not leases.enforce(CALL, TOKENS).allowed  # as was said just now
    assert leases.enforce(replace(CALL, input_tokens=50), TOKENS).allowed


def test_subjects_that_nobody_asks_for_are_forgotten(counter, leases, clock):
    """Callers may invent environments and kinds of tasks without end."""
    counter.answers = problem(409, "no-lease-needed")
    for n in range(50):
        leases.enforce(replace(CALL, task_type=f"t{n}"), TOKENS)
    clock.now += 30
    leases.tend()
    assert len(leases.holdings()) == 50
    clock.now += 601
    leases.tend()
    assert leases.holdings() == {}


def test_no_estimate_gives_a_slice_more_than_it_has(counter, leases):
    counter.slice, counter.free = 1000, 10 * NANO
    leases.enforce(CALL, TOKENS)
    leases.enforce(replace(CALL, output_tokens=-1_000_000), TOKENS)
    leases.enforce(CALL, replace(MONEY, estimated_cost_nano=-5 * NANO))
    assert all(used >= 0 for slices in leases.holdings().values() for _, used in slices)


def test_a_fault_does_not_end_the_tending(counter, monkeypatch):
    monkeypatch.setattr(leasing_module, "TICK", 0.02)
    leases = Leases(counter)
    tend, rounds = leases.tend, []

    def fail_once():
        rounds.append(1)
        if len(rounds) == 1:
            raise KeyError("a fault")
        tend()

    monkeypatch.setattr(leases, "tend", fail_once)
    leases.enforce(CALL, CALLS)
    until(lambda: len(rounds) > 1)
    leases.close()


def test_without_a_thread_calls_go_on(counter, monkeypatch):
    leases = Leases(counter)

    def none_left(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        assert leases.enforce(CALL, CALLS).leases
    assert leases._thread is None
    leases.settle(leases.enforce(CALL, TOKENS), tokens=1)
    assert leases._thread is not None
    leases.close()


def test_a_server_that_is_away_is_not_asked_for_each_slice(counter, leases, clock):
    counter.free = 10_000
    for n in range(5):
        leases.enforce(replace(CALL, task_type=f"t{n}"), TOKENS)
    clock.now += 45
    asked = []

    def away(path, *_, **__):
        asked.append(path)
        raise httpx.ReadTimeout("too slow")

    counter.post = away
    leases.tend()
    assert len(asked) == 1


def test_an_answer_that_says_nothing_ends_no_slice(counter, leases, clock):
    counter.slice = 1000
    leases.enforce(CALL, TOKENS)
    clock.now += 45
    post = counter.post
    counter.post = lambda path, *a, **k: Answer(403, {}, b"") if "renew" in path else post(path, *a, **k)
    leases.tend()
    assert leases.at_hand(CALL, TOKENS)
