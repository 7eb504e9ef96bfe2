"""Send usage events, or outcomes, over HTTP as a client would: kept-alive, gzipped, patient.

A batch is sent with the same ids until an answer says what became of it, so a lost answer doubles nothing: the server
calls the second copy a duplicate. Needs only the standard library and msgspec.
"""

import gzip
import http.client
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

PATH = "/api/v1/events"
GZIP_FROM_BYTES = 1_400  # below one network packet, packing saves nothing
SAY_LATER = {408, 425, 429, 500, 502, 503, 504}
FIRST_WAIT, LONGEST_WAIT = 0.25, 15.0


class Refused(Exception):
    """The server will not take the request, now or later; says why."""


class GaveUp(Exception):
    """No answer within the sender's patience."""


class RefusedItem(msgspec.Struct):
    """One event that was not accepted."""

    index: int
    status: str
    id: str | None = None
    problem: dict[str, Any] | None = None

    @property
    def reason(self) -> str:
        problem = self.problem or {}
        code = str(problem.get("type", "")).rpartition("/")[2]
        said = str(problem.get("detail") or problem.get("title") or self.status)
        return f"{code}: {said}" if code else said


class Answer(msgspec.Struct):
    """What the server made of a batch."""

    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    items: list[RefusedItem] = []

    def __add__(self, other: "Answer") -> "Answer":
        return Answer(
            self.accepted + other.accepted,
            self.duplicate + other.duplicate,
            self.conflict + other.conflict,
            self.rejected + other.rejected,
            self.items + other.items,
        )


_encode = msgspec.json.Encoder().encode


def encoded(event: dict[str, Any]) -> bytes:
    """One event as JSON; what is not known is left out."""
    return _encode({name: value for name, value in event.items() if value is not None and value != ""})


def said(body: bytes, fallback: str) -> str:
    """The problem+json's sentence, or `fallback`."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return fallback
    parts = [str(problem[name]) for name in ("title", "detail") if problem.get(name)]
    return ": ".join(parts) or fallback


def wait_asked(header: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


@dataclass
class EventSender:
    """One connection to one server. Not for use by several threads at once.

    `patience` is how many seconds one batch may go without an answer. `told` hears each wait: (reason, seconds).
    `rest` sleeps; a caller that must end early passes one that raises. `path` is where batches go.
    """

    url: str
    key: str
    patience: float = 120.0
    timeout: float = 30.0
    told: Callable[[str, float], None] = lambda _reason, _seconds: None
    rest: Callable[[float], object] = time.sleep
    path: str = PATH
    retries: int = 0
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Refused(f"{self.url!r} is no http:// or https:// address.")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._kind, self._host, self._port = kind, parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + self.path

    def send(self, events: Sequence[bytes]) -> Answer:
        """Send encoded events in one request; in halves where the server finds it too large.

        Refused when the server says no to the whole request; GaveUp when there was no answer in time.
        """
        status, _headers, body = self._until_answered(b"[" + b",".join(events) + b"]")
        if status == 413 and len(events) > 1:
            half = len(events) // 2
            first, second = self.send(events[:half]), self.send(events[half:])
            for item in second.items:
                item.index += half
            return first + second
        if status not in {200, 202, 207}:
            hint = {401: "the key is missing or unknown", 403: "the key may not do this", 404: "no TokenOps there"}
            raise Refused(f"{self.url}{self.path} answered {status}: {said(body, hint.get(status, 'no reason given'))}")
        try:
            return msgspec.json.decode(body, type=Answer)
        except msgspec.MsgspecError as problem:
            raise Refused(f"{self.url} answered something else than TokenOps does: {problem}") from None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _until_answered(self, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask until the server gives an answer that stands."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if len(body) >= GZIP_FROM_BYTES:
            body = gzip.compress(body, 4, mtime=0)
            headers["Content-Encoding"] = "gzip"
        started, wait = time.monotonic(), FIRST_WAIT
        while True:
            asked: float | None = None
            try:
                status, got, answer = self._ask(body, headers)
            except (OSError, http.client.HTTPException) as problem:
                self.close()
                reason = f"no answer ({type(problem).__name__}: {problem})"
            else:
                if status not in SAY_LATER:
                    return status, got, answer
                asked = wait_asked(got.get("Retry-After"))
                reason = f"{status}: {said(answer, 'busy')}"
            pause = asked if asked is not None else wait * random.uniform(0.7, 1.3)  # noqa: S311
            wait = min(wait * 2, LONGEST_WAIT)
            if time.monotonic() - started + pause > self.patience:
                raise GaveUp(f"{self.url} took nothing for {time.monotonic() - started:.0f} s. Last: {reason}")
            self.retries += 1
            self.told(reason, pause)
            self.rest(pause)

    def _ask(self, body: bytes, headers: dict[str, str]) -> tuple[int, http.client.HTTPMessage, bytes]:
        if self._connection is None:
            self._connection = self._kind(self._host, self._port, timeout=self.timeout)
        self._connection.request("POST", self._path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.will_close:
            self.close()
        return response.status, response.headers, answer
