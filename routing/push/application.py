"""Holds clients that wait for a new bundle: one event loop, no thread per client, one database listener.

The same answers as the web server's front. `Prefer: wait=N` holds a client that has the newest bundle until there is a
newer one, or N seconds (60 at most) are over. Whoever asks for notices is told of each new revision as it comes.
"""

import asyncio
import contextlib
import json
import signal
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings

from budgets.access.directory import directory
from budgets.access.keys import KeyHolder
from routing.bundle.answer import (
    BUNDLE_PATH,
    JWKS_PATH,
    NOTICES_PATH,
    Answer,
    answer_bundle,
    answer_jwks,
    answer_problem,
    not_allowed,
    not_ready,
    wanted_wait,
)
from routing.bundle.entry import admit, holder_with_id, unknown_caller
from routing.bundle.memory import memory
from routing.push.notices import GREETING, HEADERS, HEARTBEAT, STILL_HERE, notice, revision_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
READ_HEADERS = {b"authorization", b"if-none-match", b"accept-encoding", b"prefer", b"last-event-id"}


class PushApplication:
    """An ASGI application; one event loop each."""

    def __init__(self) -> None:
        self.waiting: set[asyncio.Future[None]] = set()
        self.begun: asyncio.Future[None] | None = None
        self.closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "http":
            await self.begin()
            answer = await self.answer(scope, receive, send)
            if answer is not None:
                await respond(send, answer, scope["method"] != "HEAD")

    async def live(self, receive: Receive, send: Send) -> None:
        """The server's own start and stop."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.close_at(signal.SIGTERM, signal.SIGINT)
                await self.begin()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def begin(self) -> None:
        """Start to follow the database, off the loop, since the first look may take seconds."""
        if self.begun is None:
            loop = asyncio.get_running_loop()
            begun = self.begun = loop.create_future()

            def wake() -> None:
                loop.call_soon_threadsafe(self.wake)

            def start() -> None:
                try:
                    directory()
                    memory().watchers.append(wake)
                finally:
                    loop.call_soon_threadsafe(begun.set_result, None)

            threading.Thread(target=start, name="tokenops-push-start").start()
        await asyncio.shield(self.begun)

    def close_at(self, *signals: signal.Signals) -> None:
        """At these signals answer those who wait, or the server waits for them, and is killed for it.

        It tells of its shutdown only when they have gone. Its own handlers stay in force: the loop hears of a signal
        through the wake-up descriptor, whatever handler Python has.
        """
        loop = asyncio.get_running_loop()

        def close(*_: Any) -> None:
            self.closing = True
            loop.call_soon_threadsafe(self.wake)

        with contextlib.suppress(ValueError):  # not in the main thread: the server's own time limit has to do
            for one in signals:
                signal.signal(one, close)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        for future in self.waiting:
            if not future.done():
                future.set_result(None)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """The response; None where the client has gone, or has had its notices."""
        path = scope["path"]
        if path == "/healthz":
            return answer_health(len(self.waiting))
        if path not in (BUNDLE_PATH, JWKS_PATH, NOTICES_PATH):
            return answer_problem(404, "not-found", "Not found", "There is nothing at this address.")
        if scope["method"] not in ("GET", "HEAD"):
            return not_allowed()
        return answer_keys() if path == JWKS_PATH else await self.answer_caller(scope, receive, send)

    async def answer_caller(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """The bundle, or notices, for whoever shows a key or a ticket."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in READ_HEADERS}
        holder = admit(headers.get(b"authorization"), ticket_in(scope["query_string"].decode("latin-1")))
        if isinstance(holder, Answer):
            return holder
        if scope["path"] == BUNDLE_PATH:
            return await self.answer_holder(holder, headers, receive)
        if len(self.waiting) < settings.PUSH_MAX_WAITING:
            await self.notify(holder, headers.get(b"last-event-id", ""), receive, send, scope["method"] == "GET")
            return None
        return too_many()

    async def answer_holder(self, holder: KeyHolder, headers: dict[bytes, str], receive: Receive) -> Answer | None:
        """At once, or when something is new."""
        answer = current_answer(headers)
        seconds = wanted_wait(headers.get(b"prefer", ""))
        if not seconds or answer.status != HTTPStatus.NOT_MODIFIED:
            return answer
        if len(self.waiting) >= settings.PUSH_MAX_WAITING:
            return too_many()
        gone = asyncio.ensure_future(disconnected(receive))
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            while answer.status == HTTPStatus.NOT_MODIFIED and await self.wait(gone, deadline):
                answer = current_answer(headers)
            if gone.done():
                return None
        finally:
            gone.cancel()
        if holder_with_id(holder.key_id) is None:  # revoked meanwhile
            return unknown_caller()
        answer = current_answer(headers)  # with the newest freshness token
        answer.headers.append(("Preference-Applied", "wait"))
        return answer

    async def notify(self, holder: KeyHolder, has: str, receive: Receive, send: Send, with_body: bool) -> None:
        """Tell of each new revision until the client goes, its key is no good any more, or the server stops."""
        headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(disconnected(receive))
        said = GREETING
        try:
            while with_body:
                served = memory().served
                if served is not None and revision_of(served) != has:
                    said, has = said + notice(served), revision_of(served)
                if said:
                    await send({"type": "http.response.body", "body": said, "more_body": True})
                    said = b""
                    continue  # something may have come while it was sent
                woken = await self.wait(gone, asyncio.get_running_loop().time() + HEARTBEAT)
                if gone.done() or self.closing or holder_with_id(holder.key_id) is None:
                    break
                said = b"" if woken else STILL_HERE
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def wait(self, gone: "asyncio.Future[None]", deadline: float) -> bool:
        """Until woken (True), or the client has gone, the time is over or the server stops (False)."""
        loop = asyncio.get_running_loop()
        left = deadline - loop.time()
        if left <= 0 or self.closing:
            return False
        woken: asyncio.Future[None] = loop.create_future()
        self.waiting.add(woken)
        try:
            await asyncio.wait({woken, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.waiting.discard(woken)
        return woken.done() and not gone.done()


def answer_keys() -> Answer:
    """The public keys."""
    served = memory().served
    return not_ready() if served is None else answer_jwks(served.jwks)


def too_many() -> Answer:
    """As many wait as this process holds."""
    return answer_problem(503, "too-many-waiting", "Too many clients wait", "", ("Retry-After", "5"))


def ticket_in(query: str) -> str | None:
    """The ticket in an address; none where there is none, or more than anybody sends."""
    try:
        return parse_qs(query, max_num_fields=8).get("ticket", [None])[0]
    except ValueError:
        return None


def current_answer(headers: dict[bytes, str]) -> Answer:
    """What the front would say."""
    served = memory().served
    if served is None:
        return not_ready()
    return answer_bundle(served, headers.get(b"if-none-match"), headers.get(b"accept-encoding", ""))


def answer_health(waiting: int) -> Answer:
    """The process is alive; how many it holds."""
    body = json.dumps({"status": "ok", "waiting": waiting}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    return Answer(200, headers, body)


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone. A body is read and dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def respond(send: Send, answer: Answer, with_body: bool) -> None:
    """The answer as ASGI messages."""
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})
