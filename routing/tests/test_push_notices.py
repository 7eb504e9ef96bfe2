"""Notices of new revisions on the ASGI application itself; no server, no database."""

import asyncio
from contextlib import suppress

import pytest

from routing.bundle.answer import NOTICES_PATH
from routing.push import application as pushing
from routing.tests.pushed import Call, run, until, use_keys, use_memory


@pytest.fixture
def keys(monkeypatch):
    return use_keys(monkeypatch)


@pytest.fixture
def held(monkeypatch, keys):
    return use_memory(monkeypatch)


def notices(app, **headers):
    return Call(app, path=NOTICES_PATH, **headers)


def test_each_new_revision_is_told_once_to_all_who_listen(held):
    async def test(app):
        calls = [notices(app) for _ in range(50)]
        await until(lambda: len(app.waiting) == 50)
        for revision in (2, 3):
            held.publish(revision)
            held.watchers[0]()
            held.watchers[0]()  # a wake without news says nothing
            await until(lambda revision=revision: all(f"id: 1:{revision}\n".encode() in one.body for one in calls))
        for call in calls:
            assert call.headers["content-type"].startswith("text/event-stream")
            assert call.body.startswith(b"retry: 2000\n\nevent: revision\nid: 1:1\n")
            assert call.body.count(b"event: revision") == 3
            assert b'data: {"epoch":1,"revision":3,"etag":"\\"r3\\""}' in call.body
            call.leave()
            await call.done()
        assert not app.waiting

    run(test)


def test_who_comes_back_is_told_of_what_it_missed_and_of_nothing_else(held):
    async def test(app):
        has, missed = notices(app, last_event_id="1:1"), notices(app, last_event_id="1:0")
        await until(lambda: len(app.waiting) == 2)
        assert b"event:" not in has.body and missed.body.count(b"event: revision") == 1
        for call in (has, missed):
            call.leave()
            await call.done()

    run(test)


def test_a_revision_that_comes_while_another_is_sent_is_not_missed(held):
    async def test(app):
        call = notices(app)
        send = call.send

        async def slowly(message):
            await send(message)
            if len(call.sent) == 2:
                held.publish(2)
                held.watchers[0]()
                await asyncio.sleep(0.05)

        call.task.cancel()
        with suppress(asyncio.CancelledError):
            await call.task
        call.sent.clear()
        call.task = asyncio.ensure_future(app(call.scope, call.inbox.get, slowly))
        await until(lambda: b"id: 1:2" in call.body)
        call.leave()
        await call.done()

    run(test)


def test_listeners_hear_a_sign_of_life_and_end_with_their_key(held, keys, monkeypatch):
    monkeypatch.setattr(pushing, "HEARTBEAT", 0.02)

    async def test(app):
        call = notices(app)
        await until(lambda: call.body.count(b": still here") > 2)
        del keys.holders["good"]
        await call.done()
        assert call.sent[-1] == {"type": "http.response.body", "body": b""}
        assert (await notices(app).done()).status == 401
        assert (await notices(app, authorization="Bearer reader").done()).status == 403

    run(test)


def test_listeners_end_when_the_server_stops_and_too_many_are_refused(held, settings):
    async def test(app):
        settings.PUSH_MAX_WAITING = 1
        call = notices(app)
        await until(lambda: len(app.waiting) == 1)
        assert (await notices(app).done()).status == 503
        assert (await notices(app, method="HEAD").done()).status == 503
        app.closing = True
        app.wake()
        await call.done()

    run(test)
