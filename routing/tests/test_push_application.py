"""Long polls on the ASGI application itself, with a memory and keys of the test's own; no server, no database."""

import asyncio
import json
from contextlib import suppress

import pytest

from routing.bundle import entry
from routing.tests.pushed import HOLDER, Call, run, until, use_keys, use_memory, waiting


@pytest.fixture
def keys(monkeypatch):
    return use_keys(monkeypatch)


@pytest.fixture
def held(monkeypatch, keys):
    return use_memory(monkeypatch)


def test_a_new_revision_is_in_the_hands_of_all_who_wait(held):
    async def test(app):
        calls = [waiting(app) for _ in range(300)]
        await until(lambda: len(app.waiting) == 300)
        held.publish(2)
        held.watchers[0]()
        for call in calls:
            await call.done()
            assert (call.status, json.loads(call.body)["revision"]) == (200, 2)
            assert call.headers["preference-applied"] == "wait"
        assert not app.waiting

    run(test)


def test_who_has_an_older_one_does_not_wait(held):
    async def test(app):
        held.publish(2)
        call = await waiting(app).done()
        assert call.status == 200
        assert "preference-applied" not in call.headers

    run(test)


def test_without_a_condition_there_is_nothing_to_wait_for(held):
    async def test(app):
        assert (await Call(app, prefer="wait=30").done()).status == 200

    run(test)


def test_the_time_runs_out_with_the_newest_freshness(held):
    async def test(app):
        call = waiting(app, seconds=1)
        await until(lambda: app.waiting)
        held.publish(1, freshness="newer")
        await call.done()
        assert (call.status, call.headers["tokenops-freshness"]) == (304, "newer")
        assert call.headers["preference-applied"] == "wait"

    run(test)


def test_a_wake_without_a_new_revision_goes_on_waiting(held):
    async def test(app):
        call = waiting(app)
        await until(lambda: app.waiting)
        app.wake()
        await asyncio.sleep(0.05)
        assert not call.task.done() and len(app.waiting) == 1
        call.leave()
        await call.done()

    run(test)


def test_who_goes_away_is_let_go(held):
    async def test(app):
        call = waiting(app)
        await until(lambda: app.waiting)
        call.leave()
        await call.done()
        assert call.sent == [] and not app.waiting

    run(test)


def test_a_cancelled_request_leaves_nothing_behind(held):
    async def test(app):
        call = waiting(app)
        await until(lambda: app.waiting)
        call.task.cancel()
        with suppress(asyncio.CancelledError):
            await call.task
        await asyncio.sleep(0)
        assert not app.waiting

    run(test)


def test_a_key_revoked_meanwhile_gets_nothing(held, keys):
    async def test(app):
        call = waiting(app)
        await until(lambda: app.waiting)
        keys.holders.clear()
        held.publish(2)
        held.watchers[0]()
        await call.done()
        assert call.status == 401 and b"revision" not in call.body

    run(test)


def test_too_many_are_told_to_come_later(held, settings):
    settings.PUSH_MAX_WAITING = 2

    async def test(app):
        calls = [waiting(app) for _ in range(2)]
        await until(lambda: len(app.waiting) == 2)
        refused = await waiting(app).done()
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        for call in calls:
            call.leave()
            await call.done()

    run(test)


def test_a_shutdown_answers_who_waits(held):
    async def test(app):
        call = waiting(app)
        await until(lambda: app.waiting)
        app.closing = True
        app.wake()
        assert (await call.done()).status == 304

    run(test)


def test_a_body_that_nobody_asked_for_is_dropped(held):
    async def test(app):
        call = waiting(app)
        for _ in range(100):
            call.inbox.put_nowait({"type": "http.request", "body": b"x" * 65536, "more_body": True})
        await until(lambda: app.waiting and call.inbox.empty())
        call.leave()
        await call.done()

    run(test)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"authorization": None}, 401),
        ({"authorization": "Bearer bad"}, 401),
        ({"authorization": "Basic good"}, 401),
        ({"authorization": "Bearer reader"}, 403),
        ({"authorization": "bearer  good "}, 200),
        ({"method": "POST"}, 405),
        ({"path": "/api/v1/policy-bundle/"}, 404),
        ({"path": "/.well-known/jwks.json", "authorization": None}, 200),
        ({"path": "/healthz", "authorization": None}, 200),
        ({"query": b"ticket=%00&ticket=x", "authorization": None}, 401),
    ],
)
def test_who_may(held, changes, status):
    async def test(app):
        call = await Call(app, **changes).done()
        assert call.status == status
        if status >= 400:
            assert call.headers["content-type"] == "application/problem+json"
            assert json.loads(call.body)["status"] == status

    run(test)


def test_a_query_that_nobody_sends_is_an_answer_not_a_fault(held):
    async def test(app):
        query = b"&".join(b"a=%d" % n for n in range(50))
        assert (await Call(app, query=query, authorization=None).done()).status == 401
        assert (await Call(app, query=query).done()).status == 200

    run(test)


def test_head_has_no_body(held):
    async def test(app):
        call = await Call(app, method="HEAD").done()
        assert (call.status, call.body, call.headers["content-length"]) == (200, b"", str(len(held.served.plain.body)))

    run(test)


def test_keys_that_could_not_be_read_yet_are_not_called_bad(held, keys):
    keys.ready.clear()

    async def test(app):
        call = await Call(app, authorization="Bearer other").done()
        assert (call.status, call.headers["retry-after"]) == (503, "1")

    run(test)


def test_before_the_first_bundle(held):
    held.served = None

    async def test(app):
        call = await waiting(app).done()
        assert (call.status, call.headers["retry-after"]) == (503, "1")

    run(test)


def test_tickets(held, keys, monkeypatch):
    async def test(app):
        ticket = entry.make_ticket(HOLDER)
        good = await Call(app, authorization=None, query=f"ticket={ticket}".encode()).done()
        assert good.status == 200
        forged = await Call(app, authorization=None, query=f"ticket=8{ticket[1:]}".encode()).done()
        assert forged.status == 401
        monkeypatch.setattr(entry, "TICKET_SECONDS", -1)
        late = await Call(app, authorization=None, query=f"ticket={ticket}".encode()).done()
        assert late.status == 401
        monkeypatch.setattr(entry, "TICKET_SECONDS", 60)
        keys.holders.clear()
        revoked = await Call(app, authorization=None, query=f"ticket={ticket}".encode()).done()
        assert revoked.status == 401

    run(test)
