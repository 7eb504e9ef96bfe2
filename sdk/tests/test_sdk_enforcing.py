"""`enforce` of both clients: a decision with what it needs reserved."""

import asyncio
import json
import time
from dataclasses import replace

import pytest
from small_counter import Counter
from small_server import SmallServer, bundle, workflow
from tokenops_sdk import AsyncPolicyClient, PolicyClient, Request
from tokenops_sdk.following import decide_without_bundle

CALL = Request(workflow="briefs", provider="openai", model="small", input_tokens=100, output_tokens=50)
ALLOWED = replace(decide_without_bundle(CALL, "allow"), revision="1:1", estimated_cost_nano=300)
MONEY = replace(ALLOWED, leases=({"kind": "money", "budget": "monthly"},))
CALLS = replace(ALLOWED, leases=({"kind": "calls", "workflow": "briefs"},))
TOKENS = replace(ALLOWED, leases=({"kind": "tokens", "workflow": "briefs", "environment": "staging"},))


@pytest.fixture
def server():
    server = SmallServer()
    server.publish(bundle(2, workflows={"briefs": workflow(max_requests_per_minute=60)}))
    counter = Counter(slice_=2, free=3)

    def answer(path, body, headers):
        found = counter.post(path, body, seconds=1, idempotency=headers.get("idempotency-key", ""))
        return found.status, json.loads(found.body)

    server.answer_post, server.counter = answer, counter
    yield server
    server.stop()


def test_a_client_enforces(server):
    with PolicyClient(server.url, "tok", follow=False, name="gw") as client:
        client.refresh()
        first = client.enforce(CALL)
        assert first.allowed
        assert [dict(one, draw="") for one in first.leases] == [
            {"kind": "calls", "workflow": "briefs", "lease_id": "lease-1", "reserved": 1, "draw": ""}
        ]
        assert client.enforce(CALL).allowed
        assert client.enforce(CALL).allowed
        refused = client.enforce(CALL)
        assert not refused.allowed
        assert refused.changes[-1]["kind"] == "reset"
        client.settle(first)
    assert set(server.counter.released) == {"lease-1", "lease-2"}
    body, key = server.counter.asked[0]
    assert (body["client"], len(key)) == ("gw", 32)


def test_the_async_client_enforces(server):
    async def go():
        async with AsyncPolicyClient(server.url, "tok", name="gw") as client:
            assert await client.wait_ready(5)
            found = [await client.enforce(CALL) for _ in range(4)]
            assert [one.allowed for one in found] == [True, True, True, False]
            client.settle(found[0], made=False)
            return client.state().revision

    assert asyncio.run(go()) == "1:2"
    assert set(server.counter.released) == {"lease-1", "lease-2"}


def test_an_awaited_call_that_is_given_up_leaves_nothing_reserved(server):
    post = server.answer_post

    def slow(path, body, headers):
        time.sleep(0.3)
        return post(path, body, headers)

    server.answer_post = slow

    async def go():
        async with AsyncPolicyClient(server.url, "tok") as client:
            assert await client.wait_ready(5)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.enforce(CALL), 0.05)
            await asyncio.sleep(0.6)
            return [used for slices in client._leases.holdings().values() for _, used in slices]

    assert asyncio.run(go()) == [0]
