"""`Run` and its twin for asyncio: counted before the call, corrected after it, stopped at the limits."""

import asyncio
import threading

import pytest
from small_server import PAUSED, bundle, until, workflow
from tokenops_sdk import AsyncPolicyClient, AsyncRun, PolicyClient, Run, RunSoFar

FACTS = {"provider": "openai", "model": "small", "input_tokens": 1000, "output_tokens": 500}
COST = 1000 * 1000 + 500 * 4000  # nano-dollars by the small server's prices


@pytest.fixture
def limited(server):
    """`limited(**limits)`: a client whose bundle has these limits for the workflow `briefs`."""
    clients = []

    def limited(**limits):
        server.publish(bundle(2, workflows={"briefs": workflow(**limits)}))
        client = PolicyClient(server.url, "tok", follow=False)
        clients.append(client)
        client.refresh()
        return client

    yield limited
    for client in clients:
        client.close()


class Kept:
    """A reporter that keeps what it was given."""

    def __init__(self):
        self.calls = []

    def record_call(self, request, decision, **measured):
        self.calls.append((request, decision, measured))
        return True


def waiting(server):
    return any("prefer" in headers for headers in server.asked("/api/v1/policy-bundle"))


def codes(decision):
    return [reason.code for reason in decision.reasons if reason.action == "block"]


def test_steps_are_counted_and_end(limited):
    run = Run(limited(max_run_steps=3), "briefs")
    decisions = [run.ask(**FACTS) for _ in range(4)]
    assert [one.allowed for one in decisions] == [True, True, True, False]
    assert codes(decisions[3]) == ["run_steps"]
    assert run.so_far().steps == 3  # what is not made is no step


def test_a_run_that_was_stopped_asks_in_vain_and_others_go_on(server, limited):
    client = limited()
    mine, other = Run(client, "briefs", run_id="r-17"), Run(client, "briefs", run_id="r-18")
    assert mine.ask(**FACTS).allowed
    stop = {"scope": {"workflow": "briefs", "run": "r-17"}, "code": "run_stopped", "reason": "Loops.", "until": None}
    server.publish(bundle(3, workflows={"briefs": workflow()}, blocked=[stop]))
    client.refresh()
    refused = mine.ask(**FACTS)
    assert (codes(refused), refused.changes) == (["run_stopped"], ({"kind": "resume", "run": "r-17"},))
    assert mine.so_far().steps == 1
    assert other.ask(**FACTS).allowed


def test_steps_of_a_kind_are_counted_apart(limited):
    run = Run(limited(max_steps_by_kind={"retrieve": 2}), "briefs")
    assert [run.ask(step_kind=kind).allowed for kind in ("retrieve", "plan", "retrieve", "retrieve", "plan")] == [
        True, True, True, False, True,
    ]  # fmt: skip
    assert run.so_far().steps_by_kind == {"retrieve": 2, "plan": 2}


def test_tokens_and_money_are_the_estimate_until_recorded(limited):
    run = Run(limited(max_run_tokens=4000), "briefs")
    first = run.ask(**FACTS)
    assert (run.so_far().tokens, run.so_far().cost_nano) == (1500, COST)
    run.record(first, input_tokens=1100, output_tokens=100)
    assert (run.so_far().tokens, run.so_far().cost_nano) == (1200, 1100 * 1000 + 100 * 4000)
    second = run.ask(**FACTS)
    run.record(second)  # not known: as estimated
    assert run.so_far().tokens == 2700
    assert codes(run.ask(**FACTS)) == ["run_tokens"]
    assert run.ask(**{**FACTS, "output_tokens": 300}).allowed
    assert run.record(first, input_tokens=9, output_tokens=9) is False  # once only
    assert run.so_far().tokens == 4000


def test_money_ends_the_run(limited):
    run = Run(limited(max_run_money="0.007"), "briefs")
    for _ in range(2):
        run.record(run.ask(**FACTS), cost_nano=3_000_000)
    refused = run.ask(**FACTS)
    assert codes(refused) == ["run_money"]
    assert run.so_far().cost_nano == 6_000_000


def test_a_call_that_was_never_made_does_not_count(limited):
    run = Run(limited(max_run_steps=1), "briefs", reporter=(kept := Kept()))
    run.record(run.ask(step_kind="plan", **FACTS), made=False)
    assert run.so_far() == RunSoFar(steps_by_kind={"plan": 0})
    assert kept.calls == []
    assert run.ask(**FACTS).allowed


def test_a_retry_is_the_same_step_one_attempt_more(limited):
    run = Run(limited(max_attempts_per_step=2, max_run_steps=2), "briefs", reporter=(kept := Kept()))
    first = run.ask(step_kind="plan", **FACTS)
    run.record(first, status="timeout")
    again = run.ask(again=first)
    assert again.allowed
    run.record(again, input_tokens=10, output_tokens=1)
    assert codes(run.ask(again=again)) == ["run_attempts"]
    assert [(request.step, request.attempt, request.step_kind) for request, _, _ in kept.calls] == [
        (1, 1, "plan"), (1, 2, "plan"),
    ]  # fmt: skip
    assert run.so_far().steps == 1
    assert run.ask().allowed
    with pytest.raises(ValueError, match="of this run"):
        run.ask(again=Run(limited(), "briefs").ask())


def test_the_event_says_the_run_and_what_was_decided(limited):
    run = Run(limited(), "briefs", run_id="r-1", reporter=(kept := Kept()), user="ada", environment="staging")
    assert run.record(run.ask(stage="draft", **FACTS), input_tokens=7, output_tokens=3, latency_ms=20, status="ok")
    ((request, decision, measured),) = kept.calls
    assert (request.workflow, request.run_id, request.step, request.stage, request.user, request.environment) == (
        "briefs", "r-1", 1, "draft", "ada", "staging",
    )  # fmt: skip
    assert decision.model == "small"
    assert measured == {"input_tokens": 7, "output_tokens": 3, "latency_ms": 20, "status": "ok"}


def test_a_run_goes_on_in_another_process(limited):
    client = limited(max_run_steps=3)
    first = Run(client, "briefs", run_id="r")
    for _ in range(2):
        first.ask(**FACTS)
    second = Run(client, "briefs", run_id="r", so_far=first.so_far())
    assert second.ask(**FACTS).allowed
    assert not second.ask(**FACTS).allowed


def test_calls_asked_for_at_once_never_take_one_step_twice(limited):
    run = Run(limited(max_run_steps=40), "briefs")
    allowed, together = [], threading.Barrier(8)

    def ask():
        together.wait()
        for _ in range(10):
            decision = run.ask(**FACTS)
            if decision.allowed:
                allowed.append(decision)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == 40
    assert run.so_far().steps == 40


def test_what_cannot_be_reserved_is_no_step(server, limited):
    run = Run(limited(max_requests_per_minute=60), "briefs")
    server.answer_post = lambda path, body, headers: (
        429, {"type": "https://tokenops.dev/problems/nothing-left", "title": "No", "resets_at": "2026-12-01T00:00:00Z"},
    )  # fmt: skip
    refused = run.ask(**FACTS)
    assert codes(refused) == ["lease_calls"]
    assert run.so_far() == RunSoFar()


# asyncio


def test_the_async_client_follows_and_the_async_run_asks(server, tmp_path):
    server.publish(bundle(2, workflows={"briefs": workflow(max_run_steps=2)}))

    async def go():
        async with AsyncPolicyClient(server.url, "tok", state_dir=tmp_path, name="aio") as client:
            assert await client.wait_ready(5)
            run = AsyncRun(client, "briefs")
            decisions = await asyncio.gather(*(run.ask(**FACTS) for _ in range(3)))
            assert sorted(one.allowed for one in decisions) == [False, True, True]
            run.record(next(one for one in decisions if one.allowed), input_tokens=1, output_tokens=1)
            await asyncio.to_thread(until, lambda: waiting(server))
            server.publish(bundle(3, blocked=PAUSED))
            while (await run.ask(**FACTS)).reasons[-1].code != "workflow_paused":
                await asyncio.sleep(0.01)
            await asyncio.to_thread(until, lambda: any(one["revision"] == 3 for one in server.reports))
            return run.so_far().steps

    assert asyncio.run(asyncio.wait_for(go(), 20)) == 2
    server.stop()

    async def later():
        async with AsyncPolicyClient(server.url, "tok", state_dir=tmp_path) as client:
            assert client.state().revision == "1:3"
            return (await client.refresh()).last_error

    assert "cannot be reached" in asyncio.run(later())


def test_the_async_client_refuses_what_the_other_does(server):
    async def go():
        async with AsyncPolicyClient(server.url, "tok") as client:
            assert await client.wait_ready(5)
            await asyncio.to_thread(until, lambda: waiting(server))
            server.publish(bundle(2, audience="others"))
            await asyncio.to_thread(until, lambda: any(one["answer"] == "nack" for one in server.reports))
            return client.state()

    state = asyncio.run(go())
    assert (state.revision, "others" in state.last_error) == ("1:1", True)
