"""`UsageReporter`: events on disk first, at the server as soon as it can be; the caller never waits for the network."""

import atexit
import gzip
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tokenops_sdk.asking import Decision, Request
from tokenops_sdk.backing_off import pause
from tokenops_sdk.events import event_for, line_of
from tokenops_sdk.holding import from_environment
from tokenops_sdk.keeping import sync_folder
from tokenops_sdk.sending import Outcome, Refused, judge
from tokenops_sdk.spool import Lane, keep_rejected, lines_of, size_of
from tokenops_sdk.talking import NETWORK_ERRORS, checked_url, headers_for, read, sentence_for

EVENTS_PATH = "/api/v1/events"
TICK = 1.0  # seconds until a batch goes that is not full
LOOK_AROUND = 10.0  # seconds between looks for what dead processes left
SEND_SECONDS = 30.0
AT_EXIT_SECONDS = 3.0
MAX_SPOOL_BYTES = 256 * 2**20

logger = logging.getLogger("tokenops_sdk")
Problem = Callable[[str, Any], None]


@dataclass(frozen=True, slots=True)
class ReporterState:
    """What became of the events of this process, and of those that it found; `spooled_bytes` wait in the folder."""

    recorded: int
    sent: int
    duplicates: int
    rejected: int
    dropped: int  # `record` returned False
    spooled_bytes: int
    last_sent: datetime | None
    last_error: str


class UsageReporter:
    """Takes usage events and sends them until the server has them.

    `url` is the server's address, `key` an API key with the scope `ingest`. `spool_dir` is a folder on a local disk;
    several processes may share it, as long as they may read each other's files. `on_problem(sentence, event)` hears of
    each event that was not taken; without it they are logged.

    An event that `record` returned True for outlives this process, however it ends. A power cut can lose what was
    recorded in the second before it; with `sync_each` nothing, and each `record` then waits for the disk. The folder
    holds `max_spool_bytes` (256 MiB); what comes above that is dropped, and said so.

    Safe for threads and forks. Raises ValueError for an address or key that cannot be one, and nothing after that.
    """

    _thread: threading.Thread | None
    _lane: Lane | None
    _last_sent: datetime | None

    def __init__(
        self,
        url: str,
        key: str,
        *,
        spool_dir: str | os.PathLike[str],
        on_problem: Problem | None = None,
        sync_each: bool = False,
        max_spool_bytes: int = MAX_SPOOL_BYTES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = checked_url(url)
        self._headers = headers_for(key)
        self._folder = Path(spool_dir)
        self._on_problem = on_problem
        self._sync_each = sync_each
        self._limit = max_spool_bytes
        self._transport = transport
        self._closed = False
        self._begin()
        _reporters.add(self)
        if self._folder.is_dir():
            self._run()  # for what an earlier process left

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """From TOKENOPS_URL, TOKENOPS_KEY and TOKENOPS_SPOOL_DIR; `options` go before. Raises ValueError."""
        given = from_environment(("url", "key", "spool_dir"), options)
        if not given.get("spool_dir"):
            raise ValueError("Set TOKENOPS_SPOOL_DIR, or give `spool_dir`.")
        return cls(**given)

    # Recording

    def record(self, event: Mapping[str, Any]) -> bool:
        """Take one event (docs/events.md); `id` and `time` are added where they are missing.

        True: it is in the spool, and will be sent. False: it is not, `on_problem` says why. Never raises, never waits
        for the network.
        """
        try:
            line = line_of(event)
            with self._lock:
                self._append(line)
        except Exception as error:  # whatever it is, the caller's work goes on
            return self._drop(error, event)
        return True

    def record_call(self, request: Request, decision: Decision | None = None, **measured: Any) -> bool:
        """`record` for a call that was asked for and decided; see `events.event_for`."""
        try:
            event = event_for(request, decision, **measured)
        except Exception as error:  # as in `record`
            return self._drop(error, measured)
        return self.record(event)

    def _drop(self, error: Exception, event: Any) -> bool:
        with self._lock:
            self._dropped += 1
        self._say(f"Not recorded: {error}", event)
        return False

    def _append(self, line: bytes) -> None:
        if self._closed:
            raise RuntimeError("the reporter is closed")
        if self._size + len(line) > self._limit:
            raise OSError(f"the spool holds its {self._limit:,} bytes")
        if self._lane is None:
            self._lane = Lane.make(self._folder)
        self._lane.append(line, sync=self._sync_each)
        self._size += len(line) + 1
        self._recorded += 1
        if self._thread is None:
            self._run()
        if self._lane.is_full:
            self._lane.seal()
            self._wake.set()

    # Sending

    def flush(self, seconds: float = 10.0) -> bool:
        """Send what waits, now, and wait for it as long; whether all that this process recorded is at the server."""
        deadline = time.monotonic() + seconds
        with self._sent_some:
            self._not_before = 0.0
            self._wake.set()
            while self._lane is not None and self._lane.has_events:
                left = deadline - time.monotonic()
                if left <= 0 or self._thread is None:
                    return False
                self._sent_some.wait(min(left, 0.1))
        return True

    def _send_on(self, stop: threading.Event) -> None:
        """The thread that sends, until `stop`. Then it lets go of the lane; what is left there others will send."""
        looked = float("-inf")
        while True:
            self._wake.wait(TICK)
            self._wake.clear()
            try:
                self._sync()
                now = time.monotonic()
                if now >= self._not_before and self._send_own() and now > looked + LOOK_AROUND:
                    looked = now
                    self._send_left()
                self._measure()
            except Exception:  # the events are on disk: the next round finds them
                self._failed("Sending failed by a fault of its own.", None)
                logger.exception("Sending usage events failed; it is tried again")
            if stop.is_set():
                break
        with self._lock:
            if self._lane is not None:
                self._lane.leave()
                self._lane = None
        self._http.close()

    def _sync(self) -> None:
        """What was written since the last round goes to the disk, without holding anybody up."""
        with self._lock:
            descriptors = self._lane.take_unsynced() if self._lane is not None else []
        for descriptor in descriptors:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if descriptors:
            sync_folder(self._folder)

    def _measure(self) -> None:
        size = size_of(self._folder)
        with self._sent_some:
            self._size = size
            self._sent_some.notify_all()

    def _send_own(self) -> bool:
        """All of this process; False where the server did not take it now."""
        with self._lock:
            lane = self._lane
            if lane is None:
                return True
            lane.seal()
            parts = lane.sealed()
        return all(self._send_part(path) for path in parts)

    def _send_left(self) -> None:
        """What processes left that are gone."""
        for lane in Lane.left(self._folder, self._lane):
            try:
                if not all(self._send_part(path) for path in lane.sealed()):
                    return
            finally:
                lane.leave()

    def _send_part(self, path: Path) -> bool:
        """One file, which goes when the server has all of it."""
        try:
            lines = lines_of(path)
        except FileNotFoundError:
            return True
        if lines and not self._send(lines):
            return False
        path.unlink(missing_ok=True)
        with self._sent_some:
            self._sent_some.notify_all()
        return True

    def _send(self, lines: Sequence[bytes]) -> bool:
        """These events, in halves where they are too many or one of them spoils the rest."""
        outcome = self._post(lines)
        if outcome.what == "split" and len(lines) > 1:
            half = len(lines) // 2
            return self._send(lines[:half]) and self._send(lines[half:])
        if outcome.what == "wait":
            self._failed(outcome.sentence, outcome.retry_after)
            return False
        for refused in outcome.refused:
            self._keep_refused(lines[refused.index], refused)
        with self._lock:
            self._failures = 0
            self._sent += outcome.accepted + outcome.duplicates
            self._duplicates += outcome.duplicates
            self._rejected += len(outcome.refused)
            self._last_sent, self._last_error = datetime.now(UTC), ""
        return True

    def _post(self, lines: Sequence[bytes]) -> Outcome:
        body = gzip.compress(b"[" + b",".join(lines) + b"]", 3)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        try:
            with self._http.stream("POST", EVENTS_PATH, content=body, headers=headers) as response:
                answer = read(response)
        except NETWORK_ERRORS as error:
            return Outcome("wait", sentence=sentence_for(error))
        return judge(answer, len(lines), datetime.now(UTC))

    def _keep_refused(self, line: bytes, refused: Refused) -> None:
        """Beside the spool, with the reason. A full disk must not keep the rest from going."""
        try:
            keep_rejected(self._folder, line, refused.status, refused.problem)
        except OSError as error:
            logger.warning("A refused event cannot be kept in %s: %s", self._folder, error)
        told = refused.problem.get("detail") or refused.problem.get("title") or refused.status
        self._say(f"The server refused an event: {told}", line.decode("utf-8", "replace"))

    def _failed(self, sentence: str, retry_after: float | None) -> None:
        with self._lock:
            self._failures += 1
            if sentence != self._last_error:
                logger.warning("Usage events wait on disk. %s", sentence)
            self._last_error = sentence
            self._not_before = time.monotonic() + pause(self._failures, retry_after)

    def _say(self, sentence: str, event: Any) -> None:
        try:
            if self._on_problem is not None:
                self._on_problem(sentence, event)
            else:
                logger.warning("%s", sentence)
        except Exception:
            logger.exception("on_problem failed")

    # Beginning and ending

    def _begin(self) -> None:
        """What belongs to one process, and cannot be taken over by a forked one."""
        self._lock = threading.RLock()
        self._sent_some = threading.Condition(self._lock)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = None
        self._lane = None
        self._recorded, self._sent, self._duplicates, self._rejected = 0, 0, 0, 0
        self._dropped, self._failures = 0, 0
        self._size = size_of(self._folder)
        self._not_before = 0.0
        self._last_sent = None
        self._last_error = ""
        self._http = httpx.Client(
            base_url=self.url, headers=self._headers, timeout=httpx.Timeout(SEND_SECONDS), transport=self._transport
        )

    def _run(self) -> None:
        with self._lock:
            if self._thread is not None or self._closed:
                return
            thread = threading.Thread(target=self._send_on, args=(self._stop,), name="tokenops-usage", daemon=True)
            with suppress(RuntimeError):  # the system has no more threads: the next event tries again
                thread.start()
                self._thread = thread

    def _forked(self) -> None:
        """In a forked child: the lane is the parent's, who sends it."""
        if self._lane is not None:
            self._lane.forget()
        self._begin()

    def state(self) -> ReporterState:
        """How many events came to what, and what went wrong last."""
        with self._lock:
            return ReporterState(
                self._recorded, self._sent, self._duplicates, self._rejected, self._dropped, self._size,
                self._last_sent, self._last_error,
            )  # fmt: skip

    def close(self, seconds: float = 5.0) -> bool:
        """Send what waits for as long, then stop; whether all is at the server. The rest the next process sends."""
        if self._closed:
            return True
        done = self.flush(seconds)
        with self._lock:
            self._closed = True
            thread = self._thread
        self._stop.set()
        self._wake.set()
        if thread is not None:
            thread.join(0.5)
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_reporters: "weakref.WeakSet[UsageReporter]" = weakref.WeakSet()


def _close_all() -> None:
    for reporter in list(_reporters):
        reporter.close(AT_EXIT_SECONDS)


def _forked() -> None:
    for reporter in list(_reporters):
        reporter._forked()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
