"""`Leases` against a small count of what is free: what is drawn, settled, renewed and given back."""

import threading
import time
from dataclasses import replace

import httpx
import pytest
from small_counter import Counter, problem
from small_server import until
from tokenops_sdk import Leases, Request
from tokenops_sdk import leasing as leasing_module
from tokenops_sdk.following import Answer, decide_without_bundle
from tokenops_sdk.slices import CENT, NANO, Subject, in_units, in_words_of, need_of

CALL = Request(workflow="briefs", provider="openai", model="small", input_tokens=100, output_tokens=50)
ALLOWED = replace(decide_without_bundle(CALL, "allow"), revision="1:1", estimated_cost_nano=300)
MONEY = replace(ALLOWED, leases=({"kind": "money", "budget": "monthly"},))
CALLS = replace(ALLOWED, leases=({"kind": "calls", "workflow": "briefs"},))
TOKENS = replace(ALLOWED, leases=({"kind": "tokens", "workflow": "briefs", "environment": "staging"},))


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


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


def test_one_slice_serves_many_calls(counter, leases):
    decisions = [leases.enforce(CALL, TOKENS) for _ in range(1)]
    assert decisions[0].allowed
    assert counter.asked == [(
        {"kind": "tokens", "client": "gateway-1", "at_least": 150, "workflow": "briefs", "environment": "staging"},
        counter.asked[0][1],
    )]  # fmt: skip
    counter.slice = 1000
    counter.free = 1000
    for _ in range(6):
        assert leases.enforce(CALL, TOKENS).leases[0]["lease_id"] == "lease-2"
    assert len(counter.asked) == 2


def test_a_call_is_charged_its_estimate_until_it_is_known_better(counter, leases):
    counter.slice = 1000
    first = leases.enforce(CALL, TOKENS)
    (subject,) = leases.holdings()
    assert leases.holdings()[subject] == [(1000, 150)]
    leases.settle(first, tokens=420)
    assert leases.holdings()[subject] == [(1000, 420)]
    leases.settle(first, tokens=420)  # again changes nothing
    unknown, never = leases.enforce(CALL, TOKENS), leases.enforce(CALL, TOKENS)
    leases.settle(unknown)
    leases.settle(never, made=False)
    assert leases.holdings()[subject] == [(1000, 570)]
    leases.close()
    assert counter.released == {"lease-1": 570}


def test_money_is_dollars_at_the_server(counter, leases):
    counter.free, counter.slice = 5 * NANO, NANO
    decision = leases.enforce(CALL, replace(MONEY, estimated_cost_nano=2_500_000))
    assert counter.asked[0][0] == {"kind": "money", "client": "gateway-1", "at_least": "0.0025", "budget": "monthly"}
    leases.settle(decision, cost_nano=1_234)
    leases.close()
    assert counter.released == {"lease-1": "0.000001234"}


def test_when_nothing_is_left_the_call_is_refused_with_the_reset(counter, leases):
    counter.free = 2
    assert leases.enforce(CALL, CALLS).allowed
    assert leases.enforce(CALL, CALLS).allowed
    refused = leases.enforce(CALL, CALLS)
    assert (refused.action, refused.allowed, refused.model, refused.leases) == ("block", False, None, ())
    assert refused.reasons[-1].code == "lease_calls"
    assert refused.reasons[-1].text == "The workflow briefs has made its calls of this minute."
    assert refused.changes == ({"kind": "reset", "at": "2026-12-01T00:00:00Z"},)


def test_a_refusal_is_believed_for_a_while(counter, leases, clock):
    counter.free = 0
    for _ in range(5):
        assert not leases.enforce(CALL, CALLS).allowed
    assert len(counter.asked) == 1
    clock.now += 11
    counter.free = 10
    assert leases.enforce(CALL, CALLS).allowed


def test_a_new_bundle_makes_it_ask_again(counter, leases):
    class Held:
        class bundle:  # noqa: N801
            version = (1, 1)

    counter.held, counter.free = Held, 0
    assert not leases.enforce(CALL, MONEY).allowed
    counter.free = NANO
    assert not leases.enforce(CALL, MONEY).allowed
    Held.bundle.version = (1, 2)
    assert leases.enforce(CALL, MONEY).allowed


def test_too_much_for_one_call_does_not_refuse_smaller_ones(counter, leases):
    counter.answers = problem(429, "all-reserved")
    large = replace(CALL, input_tokens=100_000)
    refused = leases.enforce(large, TOKENS)
    assert (refused.reasons[-1].code, refused.reasons[-1].text) == ("lease_tokens", "Not now.")
    counter.answers = None
    assert leases.enforce(CALL, TOKENS).allowed
    assert not leases.enforce(large, TOKENS).allowed


@pytest.mark.parametrize("code", ["no-lease-needed", "not-found"])
def test_where_there_is_no_such_limit_the_call_goes_without(counter, leases, code):
    counter.answers = problem(409 if code.startswith("no-l") else 404, code)
    decision = leases.enforce(CALL, MONEY)
    assert decision.allowed
    assert decision.leases == ()
    assert leases.at_hand(CALL, MONEY).allowed  # without asking
    assert len(counter.asked) == 1


def test_a_stopped_workflow_is_not_called(counter, leases):
    counter.answers = problem(409, "workflow-paused")
    refused = leases.enforce(CALL, CALLS)
    assert (refused.action, refused.reasons[-1].code) == ("block", "workflow_paused")
    assert refused.changes == ({"kind": "resume"},)


def test_of_several_leases_all_or_none(counter, leases):
    both = replace(ALLOWED, leases=(*CALLS.leases, *MONEY.leases))
    counter.slice = 10
    decision = leases.enforce(CALL, both)
    assert [one["lease_id"] for one in decision.leases] == ["lease-1", "lease-2"]
    counter.free = 0
    assert not leases.enforce(CALL, replace(both, estimated_cost_nano=CENT)).allowed
    held = leases.holdings()
    assert held[Subject("calls", "", "briefs", "", "")] == [(10, 1)]  # the refused one was put back


@pytest.mark.parametrize(("fail_mode", "allowed"), [("block", False), ("allow", True), ("last_known_good", True)])
def test_while_the_server_is_away_the_fail_mode_decides(counter, leases, clock, fail_mode, allowed):
    counter.slice, counter.fail_mode = 200, fail_mode
    assert leases.enforce(CALL, TOKENS).leases[0]["lease_id"] == "lease-1"
    counter.away = True
    small = replace(CALL, input_tokens=10, output_tokens=10)
    assert leases.enforce(small, TOKENS).leases[0]["lease_id"] == "lease-1"  # there is enough of it
    decision = leases.enforce(CALL, TOKENS)
    assert decision.allowed is allowed
    if not allowed:
        assert decision.reasons[-1].code == "lease_away"
    else:
        assert decision.leases == ()
    asked = []
    post, counter.post = counter.post, lambda *a, **k: asked.append(a) or post(*a, **k)
    leases.enforce(CALL, TOKENS)
    assert asked == []  # not for each call
    counter.away = False
    clock.now += 31
    assert leases.enforce(CALL, TOKENS).leases[0]["lease_id"]


@pytest.mark.parametrize("answer", [Answer(401, {}, b""), Answer(200, {}, b"<html>"), Answer(429, {}, b"slow down"),
                                    Answer(422, {}, b"{}"), Answer(201, {}, b'{"id": 1}')])  # fmt: skip
def test_an_answer_that_says_nothing_counts_as_none(counter, leases, answer):
    counter.answers, counter.fail_mode = answer, "block"
    assert leases.enforce(CALL, MONEY).reasons[-1].code == "lease_away"
    leases.enforce(CALL, MONEY)
    assert len(counter.asked) == 1


def test_a_question_without_an_answer_is_asked_again_under_its_key(counter, leases, clock):
    keys = []
    post = counter.post

    def lose(path, body, *, seconds, idempotency=""):
        keys.append(idempotency)
        answer = post(path, body, seconds=seconds, idempotency=idempotency)
        if len(keys) == 1:
            raise httpx.ReadTimeout("too slow")
        return answer

    counter.post = lose
    leases.enforce(CALL, CALLS)
    clock.now += 31
    leases.enforce(CALL, CALLS)
    counter.slice = 1
    assert len(keys) == 2
    assert keys[0] == keys[1] != ""


def test_slices_in_use_are_renewed_and_idle_ones_given_back(counter, leases, clock):
    counter.slice = 1000
    decision = leases.enforce(CALL, TOKENS)
    clock.now += 45
    leases.tend()
    assert counter.renewed == ["lease-1"]  # its call is still under way
    leases.settle(decision, tokens=10)
    clock.now += 10
    leases.tend()
    assert counter.released == {"lease-1": 10}
    assert leases.holdings() == {Subject("tokens", "", "briefs", "staging", ""): []}


def test_a_slice_that_ended_serves_nobody(counter, leases, clock):
    counter.free = 2000
    counter.slice = 1000
    leases.enforce(CALL, TOKENS)
    clock.now += 60
    assert leases.enforce(CALL, TOKENS).leases[0]["lease_id"] == "lease-2"


def test_time_is_counted_from_before_the_question(counter, leases, clock):
    post = counter.post

    def slow(*arguments, **named):
        clock.now += 5
        return post(*arguments, **named)

    counter.free = 2000
    counter.slice, counter.post = 1000, slow
    leases.enforce(CALL, TOKENS)
    clock.now += 55
    assert leases.enforce(CALL, TOKENS).leases[0]["lease_id"] == "lease-2"


def test_calls_of_a_minute_that_is_over_are_forgotten(counter, leases, clock):
    counter.slice = 5
    leases.enforce(CALL, CALLS)
    clock.now += 60
    leases.tend()
    assert counter.released == {}
    assert list(leases.holdings().values()) == [[]]


def test_a_lease_that_cannot_be_renewed_is_given_back(counter, leases, clock):
    counter.slice = 1000
    leases.settle(leases.enforce(CALL, TOKENS), tokens=5)
    clock.now += 25
    leases.settle(leases.enforce(CALL, TOKENS), tokens=5)
    clock.now += 20
    post = counter.post
    counter.post = lambda path, *a, **k: problem(409, "lease-over") if "renew" in path else post(path, *a, **k)
    leases.tend()
    leases.tend()
    assert counter.released == {"lease-1": 10}


def test_the_next_slice_is_taken_before_it_is_needed(counter, leases):
    counter.slice = 10
    for _ in range(8):
        leases.enforce(CALL, CALLS)
    assert len(counter.asked) == 1
    leases.tend()
    assert len(counter.asked) == 2
    leases.tend()
    assert len(counter.asked) == 2


def test_a_call_that_nobody_settles_does_not_hold_a_slice_for_ever(counter, leases, clock):
    counter.slice, counter.lasts = 1000, 10_000.0
    leases.enforce(CALL, TOKENS)
    clock.now += 601
    leases.tend()
    assert counter.released == {"lease-1": 150}  # as estimated
    assert leases._open == {}


def test_threads_never_draw_more_than_there_is():
    counter = Counter(free=500, slice_=7)
    leases = Leases(counter)
    made = []

    def call():
        while True:
            decision = leases.enforce(CALL, CALLS)
            if not decision.allowed:
                return
            made.append(decision)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    leases.close()
    held = sum(amount - used for slices in leases.holdings().values() for amount, used in slices)
    assert len(made) + held == 500 - counter.free
    assert len(made) == 500
    assert len({one.leases[0]["draw"] for one in made}) == 500


def test_while_one_asks_the_others_wait_for_its_slice(counter):
    post, together = counter.post, threading.Barrier(6)

    def slow(*arguments, **named):
        time.sleep(0.1)
        return post(*arguments, **named)

    counter.slice, counter.post = 100, slow
    leases = Leases(counter)

    def call():
        together.wait()
        assert leases.enforce(CALL, CALLS).leases

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counter.asked) == 1
    leases.close()


def test_what_a_call_needs():
    assert need_of("calls", CALL, ALLOWED) == 1
    assert need_of("money", CALL, ALLOWED) == 300
    assert need_of("money", CALL, replace(ALLOWED, estimated_cost_nano=None)) == CENT
    assert need_of("tokens", CALL, ALLOWED) == 150
    by_layer = Request(context={"system": 10, "user": 5})
    assert need_of("tokens", by_layer, replace(ALLOWED, max_output_tokens=None)) == 15
    assert need_of("tokens", by_layer, replace(ALLOWED, max_output_tokens=100)) == 115
    assert need_of("tokens", Request(), ALLOWED) == 1000
    assert (in_words_of("money", 1), in_words_of("money", 3 * NANO), in_words_of("money", 0)) == (
        "0.000000001",
        "3",
        "0",
    )
    assert in_units("money", "0.04") == 4 * CENT
    with pytest.raises(ValueError, match="whole"):
        in_units("calls", "4")


def test_slices_are_tended_in_the_background(counter, monkeypatch):
    monkeypatch.setattr(leasing_module, "TICK", 0.02)
    counter.slice, counter.lasts = 10, 60.0
    leases = Leases(counter)
    for _ in range(9):
        leases.enforce(CALL, CALLS)
    until(lambda: len(counter.asked) == 2)
    leases.close()


def test_what_is_fetched_while_it_closes_is_given_back_too(counter, clock):
    leases = Leases(counter, name="gateway-1", clock=clock)
    fetching, post = threading.Event(), counter.post

    def slowly(path, body, **more):
        if threading.current_thread().name == "tokenops-leases" and path.endswith("leases"):
            fetching.set()
            time.sleep(0.3)
        return post(path, body, **more)

    counter.post = slowly
    counter.free, counter.slice = 1000, 160
    assert leases.enforce(CALL, TOKENS).allowed  # of 160, 150 are used: the thread goes for more
    assert fetching.wait(10)
    leases.close()
    assert sorted(counter.released) == ["lease-1", "lease-2"]
