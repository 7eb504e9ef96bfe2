"""Notices of new revisions as server-sent events (WHATWG HTML, section 9.2): a name and a number, never the bundle.

A client that hears one asks for the bundle as ever. `id` is the revision, so that one who comes back with
`Last-Event-ID` is told at once of what it missed, and of nothing that it has.
"""

import json
from collections.abc import Mapping

from routing.bundle.answer import Served

HEARTBEAT = 15.0  # seconds; many proxies cut connections that say nothing for thirty
RETRY = 2_000  # milliseconds that a client waits before it comes back
HEADERS = [
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("X-Accel-Buffering", "no"),  # nginx would hold notices back to fill its buffer
    ("X-Content-Type-Options", "nosniff"),
]
GREETING = f"retry: {RETRY}\n\n".encode()
STILL_HERE = b": still here\n\n"


def revision_of(served: Served) -> str:
    """As the bundle's revision is written everywhere: epoch and number."""
    return f"{served.version[0]}:{served.version[1]}"


def notice(served: Served) -> bytes:
    """The event that a new revision is there."""
    epoch, revision = served.version
    data: Mapping[str, object] = {"epoch": epoch, "revision": revision, "etag": served.plain.etag}
    return f"event: revision\nid: {revision_of(served)}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
