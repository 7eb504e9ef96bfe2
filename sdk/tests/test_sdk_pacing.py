"""A budget that slows calls down: `enforce` lets so many a minute through."""

import asyncio
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from small_server import bundle, workflow
from tokenops_sdk import AsyncPolicyClient, Request, Run
from tokenops_sdk.litellm.refusing import refusal_headers, status_of
from tokenops_sdk.pacing import Pace

CALL = Request(workflow="briefs", model="small", provider="openai", input_tokens=1000, output_tokens=100)


def slowing(slug="monthly", per_minute=2, scope=None):
    return {"slug": slug, "name": "Monthly", "scope": scope or {}, "metric": "money", "period": "month", "limit": "1",
            "starts_at": "2020-01-01T00:00:00Z", "ends_at": "2100-01-01T00:00:00Z", "remaining_percent": 0,
            "status": "exhausted", "on_exhausted": "throttle", "settings": {"per_minute": per_minute},
            "hard": False}  # fmt: skip


@pytest.fixture
def client(server, make):
    server.publish(bundle(budgets=[slowing()], workflows={"briefs": workflow()}))
    client = make()
    client.refresh()
    return client


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_so_many_calls_a_minute_are_let_through(client):
    clock = Clock()
    client._pace = Pace(clock)
    assert client.decide(CALL).per_minute == 2
    assert [client.enforce(CALL).action for _ in range(3)] == ["throttle", "throttle", "block"]
    refused = client.enforce(CALL)
    assert (refused.allowed, refused.model, refused.reasons[-1].code) == (False, None, "too_fast")
    assert refused.reasons[-1].text.startswith("Calls are slowed down to 2 a minute, because of the budget “Monthly”.")
    assert [one["kind"] for one in refused.changes] == ["reset", "budget"]
    headers = refusal_headers(refused, datetime.now(UTC))
    assert (status_of(refused), 1 <= int(headers["retry-after"]) <= 62) == (429, True)
    clock.now += 59
    assert not client.enforce(CALL).allowed
    clock.now += 1
    assert client.enforce(CALL).allowed


def test_what_is_not_slowed_down_is_not_counted(server, client):
    server.publish(bundle(2, budgets=[slowing(scope={"workflow": "other"})], workflows={"briefs": workflow()}))
    client.refresh()
    assert all(client.enforce(CALL).action == "allow" for _ in range(5))
    other = replace(CALL, workflow="other")
    assert [client.enforce(other).allowed for _ in range(3)] == [True, True, False]


def test_a_run_does_not_count_what_came_too_fast(client):
    run = Run(client, "briefs")
    asked = [run.ask(provider="openai", model="small", input_tokens=10) for _ in range(4)]
    assert [one.allowed for one in asked] == [True, True, False, False]
    assert run.so_far().steps == 2


def test_threads_together_are_let_through_no_more_often(client):
    allowed = []

    def call():
        for _ in range(20):
            allowed.append(client.enforce(CALL).allowed)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert allowed.count(True) == 2


def test_a_child_that_is_forked_while_a_call_is_counted_goes_on(client):
    with client._pace._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if client.enforce(CALL).allowed else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_async_client_does_the_same(server, client):

    async def both():
        async with AsyncPolicyClient(server.url, "tok") as other:
            assert await other.wait_ready(5)
            return [(await other.enforce(CALL)).allowed for _ in range(3)]

    assert asyncio.run(both()) == [True, True, False]
