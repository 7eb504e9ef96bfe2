"""`PolicyClient`: the newest verified bundle in memory, followed by a thread; decisions without any network."""

import atexit
import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from tokenops_sdk.asking import Decision, Request
from tokenops_sdk.backing_off import pause
from tokenops_sdk.following import BUNDLE_PATH, KEYS_PATH, STATUS_PATH, Answer, Next, State
from tokenops_sdk.holding import FROM_ENVIRONMENT, PolicyHolder, from_environment, logger
from tokenops_sdk.outcomes import TRIES, message_of, not_sent, pause_of, taken
from tokenops_sdk.pacing import Pace
from tokenops_sdk.talking import MAX_REDIRECTS, NETWORK_ERRORS, read, sentence_for, timeout, waits
from tokenops_sdk.telling import HEARTBEAT, Reports

if TYPE_CHECKING:
    from tokenops_sdk.leasing import Leases


class PolicyClient(PolicyHolder):
    """Follows the policy of a TokenOps server in a background thread. Safe for threads and forks.

    `options` are those of `PolicyHolder`. Without `follow` nothing runs in the background: call `refresh`.
    """

    _threads: dict[str, threading.Thread]
    _leases: "Leases | None"

    def __init__(
        self, url: str, key: str, *, follow: bool = True, transport: httpx.BaseTransport | None = None, **options: Any
    ) -> None:
        super().__init__(url, key, **options)
        self._transport = transport
        self._wanted = follow
        self._closed = False
        self._begin()
        _clients.add(self)
        self._run()

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """From TOKENOPS_URL, TOKENOPS_KEY, and if set TOKENOPS_AUDIENCE, TOKENOPS_STATE_DIR, TOKENOPS_WITHOUT_BUNDLE.

        `options` go before. Raises ValueError where the address or the key is missing.
        """
        return cls(**from_environment(FROM_ENVIRONMENT, options))

    # Deciding

    def decide(self, request: Request, now: datetime | None = None) -> Decision:
        """What the policy says of the call: in memory, at once, whatever the network does. `now` is aware."""
        if len(self._threads) < 2:
            self._run()  # the first call in a forked child
        return super().decide(request, now)

    def enforce(self, request: Request, now: datetime | None = None) -> Decision:
        """`decide`, and what the decision says must be reserved: may ask the server, for two seconds at most.

        See `tokenops_sdk.leasing.Leases.enforce`. Say what the call came to with `settle`.
        """
        return self.reserve(request, self.decide(request, now))

    def reserve(self, request: Request, decision: Decision) -> Decision:
        """The second half of `enforce`, for a decision made before."""
        decision = self.paced(decision)
        if not decision.allowed or not decision.leases:
            return decision
        return self.leases.enforce(request, decision)

    def settle(
        self, decision: Decision, *, cost_nano: int | None = None, tokens: int | None = None, made: bool = True
    ) -> None:
        """Say what the call of an enforced decision came to; see `Leases.settle`. Needs no network."""
        leases = self._leases
        if leases is not None:
            leases.settle(decision, cost_nano=cost_nano, tokens=tokens, made=made)

    @property
    def leases(self) -> "Leases":
        """What is reserved at the server for this process."""
        from tokenops_sdk.leasing import Leases

        with self._lock:
            if self._leases is None:
                self._leases = Leases(self, name=self._name)
            return self._leases

    def wait_ready(self, seconds: float = 10.0) -> bool:
        """Wait for the first bundle; whether there is one."""
        self._run()
        return self._ready.wait(seconds)

    # Following

    def refresh(self, wait: float = 0.0) -> State:
        """Ask the server once, now, in this thread; it may hold the question for `wait` seconds. Never raises."""
        self._ask(wait)
        return self.state()

    def _ask(self, wait: float | None) -> float:
        """One question with all that follows from the answer; the seconds to wait before the next."""
        with self._lock:
            headers, before = self._follower.headers(wait), self._follower.highest
        answer = self._get(BUNDLE_PATH, headers)
        with self._lock:
            if self._follower.highest != before:
                return 0.0  # another thread was quicker: this answer is about the past
            result = self._took(answer)
        if result.fetch_keys:
            keys = self._get(KEYS_PATH, {})
            with self._lock:
                result = self._took(keys, keys=True)
        self._keep(result)
        self._tell(result)
        if self.held is not None:
            self._ready.set()
        return result.wait

    def _took(self, answer: Answer | str, *, keys: bool = False) -> Next:
        return self._follower.hear(answer, datetime.now(UTC), keys=keys)

    def _get(self, path: str, headers: Mapping[str, str]) -> Answer | str:
        """The answer, or in a sentence why there is none."""
        try:
            with self._http.stream(
                "GET", path, headers=headers, timeout=timeout(waits(headers)), follow_redirects=path != KEYS_PATH
            ) as response:
                return read(response)
        except NETWORK_ERRORS as error:
            return sentence_for(error)

    def post(self, path: str, body: Mapping[str, Any], *, seconds: float = 5.0, idempotency: str = "") -> Answer:
        """Send JSON to the server; redirects are not followed. Raises one of `talking.NETWORK_ERRORS`."""
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": idempotency} if idempotency else {})}
        content = json.dumps(body).encode()
        with self._http.stream("POST", path, content=content, headers=headers, timeout=seconds) as response:
            return read(response)

    def outcome(self, run_id: str, outcome: str, *, workflow: str, **facts: Any) -> str:
        """Say what became of a run; "accepted", or "duplicate" where the server had it. Waits for the answer.

        `facts` as in docs/outcomes.md (reviewer, review_minutes, …). Raises OutcomeRefused, and OutcomeNotSent after
        three tries.
        """
        message = message_of(run_id, outcome, workflow, facts)
        answer: Answer | str = ""
        for attempt in range(TRIES):
            try:
                answer = self.post(message.path, message.body)
            except NETWORK_ERRORS as error:
                answer = sentence_for(error)
            if isinstance(answer, Answer) and (status := taken(answer)):
                return status
            if attempt < TRIES - 1:
                time.sleep(pause_of(answer) if isinstance(answer, Answer) else pause(attempt + 1))
        raise not_sent(answer, message)

    def _follow_on(self, stop: threading.Event) -> None:
        """The thread that follows, until `stop`."""
        failures = 0
        while not stop.is_set():
            try:
                seconds = self._ask(None)
                failures = 0
            except Exception:  # a fault of ours must not leave the process with an old policy for good
                failures += 1
                seconds = pause(failures)
                if not stop.is_set():
                    logger.exception("Following the policy failed; it is tried again")
            stop.wait(seconds)

    def _report_on(self, stop: threading.Event) -> None:
        """The thread that reports, beside the one that follows, so that no report delays a bundle."""
        reports, failures = self._reports, 0
        while not stop.is_set():
            if not reports.woken.wait(pause(failures) if failures else HEARTBEAT) and not failures:
                reports.beat(self._follower.acknowledgement())
            reports.woken.clear()
            try:
                while not stop.is_set() and (report := reports.first()) is not None:
                    reports.sent(report, self.post(STATUS_PATH, reports.body(report)).status)
                failures = 0
            except (*NETWORK_ERRORS, RuntimeError):  # RuntimeError: the client was closed meanwhile
                failures += 1

    # Beginning and ending

    def _begin(self) -> None:
        """What belongs to one process, and cannot be taken over by a forked one."""
        self._lock = threading.RLock()
        self._ready = threading.Event()
        if self.held is not None:
            self._ready.set()
        self._stop = threading.Event()
        self._threads = {}
        self._leases = None
        self._pace = Pace()
        self._http = httpx.Client(
            base_url=self.url, headers=self._headers, transport=self._transport, max_redirects=MAX_REDIRECTS
        )

    def _run(self) -> None:
        """Start the threads, once in each process."""
        if not self._wanted or self._closed:
            return
        with self._lock, suppress(RuntimeError):  # the system has no more threads: the next decision tries again
            self._start("tokenops-policy", self._follow_on)
            self._start("tokenops-status", self._report_on)

    def _start(self, name: str, work: Callable[[threading.Event], None]) -> None:
        if name not in self._threads:
            thread = threading.Thread(target=work, args=(self._stop,), name=name, daemon=True)
            thread.start()
            self._threads[name] = thread

    def _forked(self) -> None:
        """In a forked child: threads and connections are the parent's; new ones begin when they are needed."""
        self._reports = Reports(self._name)
        self._reports.beat(self._follower.acknowledgement())
        self._begin()

    def close(self) -> None:
        """Give back what is reserved and stop following. Decisions go on by the last bundle."""
        self._closed = True
        leases, self._leases = self._leases, None
        if leases is not None:
            leases.close()
        self._stop.set()
        self._reports.woken.set()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_clients: "weakref.WeakSet[PolicyClient]" = weakref.WeakSet()


def _close_all() -> None:
    for client in list(_clients):
        client.close()


def _forked() -> None:
    for client in list(_clients):
        client._forked()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
