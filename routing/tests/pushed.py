"""The push process for tests: a memory and keys of their own; no server, no database."""

import asyncio
import json

from budgets.access.keys import KeyHolder
from routing.bundle import entry
from routing.bundle.answer import BUNDLE_PATH, Served, make_ready
from routing.push import application as pushing
from routing.push.application import PushApplication

HOLDER = KeyHolder(7, "gateway", 1, "gateway", (), frozenset({"bundle"}), None)
READER = KeyHolder(8, "reader", 1, "reader", (), frozenset({"read"}), None)


class Keys:
    """Stands for budgets.access.directory."""

    def __init__(self):
        self.holders = {"good": HOLDER, "reader": READER}
        self.ready = asyncio.Event()
        self.ready.set()

    def find(self, bearer):
        return self.holders.get(bearer)


class Memory:
    """Stands for routing.bundle.memory."""

    def __init__(self):
        self.served: Served | None = None
        self.watchers = []
        self.publish(1)

    def publish(self, revision, freshness="f"):
        body = json.dumps({"revision": revision}).encode()
        self.served = make_ready(
            (1, revision), body, etag=f'"r{revision}"', signature="h..s", freshness=freshness, jwks=b"{}"
        )


def use_keys(monkeypatch):
    """Have the push process find these keys and no others."""
    keys = Keys()
    for room in (entry, pushing):
        monkeypatch.setattr(room, "directory", lambda: keys)
    return keys


def use_memory(monkeypatch):
    """Have the push process hold this bundle."""
    memory = Memory()
    monkeypatch.setattr(pushing, "memory", lambda: memory)
    return memory


class Call:
    """One request in flight."""

    def __init__(self, app, path=BUNDLE_PATH, method="GET", query=b"", **headers):
        headers = {"authorization": "Bearer good", **headers}
        pairs = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items() if value is not None
        ]
        self.scope = {"type": "http", "path": path, "method": method, "query_string": query, "headers": pairs}
        self.inbox: asyncio.Queue = asyncio.Queue()
        self.inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.sent: list[dict] = []
        self.task = asyncio.ensure_future(app(self.scope, self.inbox.get, self.send))

    async def send(self, message):
        self.sent.append(message)

    def leave(self):
        self.inbox.put_nowait({"type": "http.disconnect"})

    async def done(self, seconds=2.0):
        await asyncio.wait_for(self.task, seconds)
        return self

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def headers(self):
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def waiting(app, seconds=30, **headers):
    return Call(app, prefer=f"wait={seconds}", if_none_match='"r1"', **headers)


async def until(condition):
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("never came about")


def run(test):
    """Run an async test body with a new application."""

    async def body():
        await test(PushApplication())
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, "a request left tasks behind"

    asyncio.run(body())
