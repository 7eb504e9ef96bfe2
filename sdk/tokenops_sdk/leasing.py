"""`Leases`: hard limits held by all processes together. Slices are reserved at the server and spent here, call by call.

The rules are those of docs/leases.md; what is held, and when it is renewed, is decided in `slices`.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from tokenops_sdk.asking import Decision, Reason, Request
from tokenops_sdk.backing_off import pause
from tokenops_sdk.following import Answer, Held
from tokenops_sdk.slices import LONGEST_CALL, Line, Refusal, Slice, Subject, in_words_of, need_of, subject_of
from tokenops_sdk.talking import NETWORK_ERRORS
from tokenops_sdk.telling import own_name

LEASES_PATH = "/api/v1/leases"
ANSWER_SECONDS = 2.0  # that a call waits for a slice at most
CLOSE_SECONDS = 3.0
TICK = 1.0

SENTENCES = {
    "money": "The budget “{budget}” has nothing left to reserve for this call.",
    "calls": "The workflow {workflow} has made its calls of this minute.",
    "tokens": "The workflow {workflow} has used its tokens of this day.",
}
AWAY = "What this call needs cannot be reserved, because the server cannot be reached."
UNCLEAR = "What this call needs cannot be reserved: {said}"
OF_THE_CALL = frozenset({400, 404, 409, 413, 422})  # what is wrong with one question says nothing of the others

logger = logging.getLogger("tokenops_sdk")


class Server(Protocol):
    """What leases need of a client."""

    def post(self, path: str, body: Mapping[str, Any], *, seconds: float, idempotency: str = "") -> Answer:
        """Send JSON; raises one of `talking.NETWORK_ERRORS`."""

    @property
    def fail_mode(self) -> str:
        """What holds where the server cannot be asked."""

    @property
    def held(self) -> Held | None:
        """The bundle that is obeyed."""


class Leases:
    """Slices of hard limits for one process. Safe for threads; a forked child needs its own.

    While the server cannot be reached calls go on under the slices at hand as long as those last (a minute at most).
    Then the bundle's fail mode decides: with `block` no call that needs a reservation is made, with `allow` and
    `last_known_good` it is made without one, so that the limit holds by what the last bundle says only.
    """

    def __init__(self, client: Server, *, name: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._name = name or own_name()
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[Subject, tuple[Line, threading.Lock]] = {}
        self._open: dict[str, tuple[Line, str, int, float]] = {}  # draws not settled yet, and when
        self._failures, self._not_before, self._why = 0, float("-inf"), AWAY
        self._thread: threading.Thread | None = None
        self._wake, self._stop = threading.Event(), threading.Event()

    # For callers

    def enforce(self, request: Request, decision: Decision) -> Decision:
        """Reserve what the decision names. The same decision with a `lease_id` in each of its `leases`, or a refusal.

        Asks the server where no slice has enough left, for two seconds at most. What is refused is `block` with the
        code `lease_money`, `lease_calls` or `lease_tokens` and, in `changes`, when it begins anew; or `lease_away`.
        """
        return self.at_hand(request, decision) or self._enforce(request, decision)

    def at_hand(self, request: Request, decision: Decision) -> Decision | None:
        """`enforce` from what is held, without the network; None where the server has to be asked."""
        drawn: list[dict[str, Any]] = []
        for lease in decision.leases:
            line, need = self._line(subject_of(lease, request))[0], need_of(str(lease["kind"]), request, decision)
            one = self._draw(line, need)
            if one is None and (known := self._known_refusal(line, need)) is not None and known.lets_pass:
                continue
            if one is None:
                self._put_back(drawn)
                return None
            drawn.append({**lease, **one})
        return replace(decision, leases=tuple(drawn))

    def settle(
        self, decision: Decision, *, cost_nano: int | None = None, tokens: int | None = None, made: bool = True
    ) -> None:
        """Say what the call of an enforced decision came to; doing it again changes nothing.

        `cost_nano` in nano-dollars, `tokens` input and output; None: not known, its estimate stays used. With `made`
        False the call never went out and all is put back.
        """
        for lease in decision.leases:
            with self._lock:
                line, slice_id, charged, _ = self._open.pop(str(lease.get("draw", "")), (None, "", 0, 0.0))
                if line is None:
                    continue
                true = {"money": cost_nano, "tokens": tokens}.get(line.subject.kind)
                line.settle(slice_id, charged, true if made else 0)

    def close(self) -> None:
        """Give back what is left of all slices, within three seconds; what cannot be, ends by itself in a minute."""
        self._stop.set()
        self._wake.set()
        deadline = time.monotonic() + CLOSE_SECONDS
        if self._thread is not None:  # it may be fetching a slice that would be left behind
            self._thread.join(CLOSE_SECONDS / 2)
        with self._lock:
            lines = [line for line, _ in self._lines.values()]
            leaving = [(line, one) for line in lines for one in line.to_release(self._clock(), all_of_them=True)]
            for _, one in leaving:
                one.over = True
        for line, one in leaving:
            left = deadline - time.monotonic()
            if left <= 0 or not self._release(line, one, left):
                break

    def holdings(self) -> dict[Subject, list[tuple[int, int]]]:
        """What is held now: amount and use of each slice, in the subject's unit."""
        with self._lock:
            return {
                subject: [(one.amount, one.used) for one in line.slices if not one.over]
                for subject, (line, _) in self._lines.items()
            }

    # Drawing

    def _enforce(self, request: Request, decision: Decision) -> Decision:
        """As `enforce`, asking the server."""
        drawn: list[dict[str, Any]] = []
        for lease in decision.leases:
            subject = subject_of(lease, request)
            need = need_of(subject.kind, request, decision)
            found = self._draw_or_take(subject, need)
            if isinstance(found, dict):
                drawn.append({**lease, **found})
            elif not self._may_pass(found):
                self._put_back(drawn)
                return refused(decision, subject, found)
        return replace(decision, leases=tuple(drawn))

    def _may_pass(self, found: Refusal | str) -> bool:
        """Whether the call is made without the reservation; a sentence means that the server could not be asked."""
        return found.lets_pass if isinstance(found, Refusal) else self._client.fail_mode != "block"

    def _draw_or_take(self, subject: Subject, need: int) -> dict[str, Any] | Refusal | str:
        """A draw; or the server's refusal; or a sentence that says why it could not be asked."""
        line, turn = self._line(subject)
        drawn = self._draw(line, need)
        if drawn is not None:
            return drawn
        with turn:  # one asks, the others take what it brings
            for _ in range(2):  # once more where an old question was answered with a slice that has ended
                found = self._draw(line, need) or self._known_refusal(line, need) or self._take(line, need)
                if found is not None:
                    return found
        return Refusal("all-reserved", "Less is free than this call needs.", need, self._clock(), None)

    def _draw(self, line: Line, need: int) -> dict[str, Any] | None:
        """What is added to the decision's lease: `lease_id` for the event, `reserved`, and `draw` to settle it by."""
        with self._lock:
            return self._charge(line, need)

    def _charge(self, line: Line, need: int) -> dict[str, Any] | None:
        """`_draw`, for who holds the lock."""
        one = line.draw(need, self._clock())
        if one is None:
            return None
        if one.is_low():
            self._wake.set()
        draw = uuid4().hex
        self._open[draw] = (line, one.id, need, self._clock())
        return {"lease_id": one.id, "reserved": need, "draw": draw}

    def _put_back(self, drawn: list[dict[str, Any]]) -> None:
        for one in drawn:
            with self._lock:
                line, slice_id, charged, _ = self._open.pop(one["draw"])
                line.settle(slice_id, charged, 0)

    def _line(self, subject: Subject) -> tuple[Line, threading.Lock]:
        with self._lock:
            found = self._lines.get(subject)
            if found is None:
                found = self._lines[subject] = (Line(subject, asked_last=self._clock()), threading.Lock())
            return found

    # Asking the server

    def _take(self, line: Line, need: int, *, draw: bool = True) -> dict[str, Any] | Refusal | str | None:
        """One more slice, and a draw on it before anybody else has one; None where none came of it.

        A sentence where the server could not be asked.
        """
        now = self._clock()
        if now < self._not_before:
            return self._why
        if now < line.not_before:
            return UNCLEAR.format(said=line.unclear)
        self._run()
        line.once = line.once or uuid4().hex
        asked = self._clock()
        answer = self._post(LEASES_PATH, line.question(need, self._name), ANSWER_SECONDS, line.once)
        if isinstance(answer, str):
            return answer
        line.once = ""
        with self._lock:
            told = line.take(answer, need, asked, self._clock(), self._version())
            drawn = self._charge(line, need) if draw else None
        if told and answer.status in OF_THE_CALL:
            line.hold_off(told, self._clock())
        elif told:
            self._hold_off(UNCLEAR.format(said=told))
        return drawn or (UNCLEAR.format(said=told) if told else line.refusal)

    def _post(self, path: str, body: Mapping[str, Any], seconds: float, once: str = "") -> Answer | str:
        try:
            answer = self._client.post(path, body, seconds=seconds, idempotency=once)
        except (*NETWORK_ERRORS, RuntimeError):  # RuntimeError: the client was closed
            told = AWAY
        else:
            if answer.status < 500:
                self._failures = 0
                return answer
            told = UNCLEAR.format(said=f"The server answered {answer.status}.")
        self._hold_off(told)
        return told

    def _hold_off(self, why: str) -> None:
        """Ask nothing for a while, so that callers need not wait each time."""
        self._failures += 1
        self._why, self._not_before = why, self._clock() + pause(self._failures)

    def _known_refusal(self, line: Line, need: int) -> Refusal | None:
        """What the server said just now, unless the policy changed since."""
        known = line.refusal
        return known if known is not None and known.holds(need, self._clock(), self._version()) else None

    def _version(self) -> tuple[int, int] | None:
        held = self._client.held
        return held.bundle.version if held is not None else None

    def _release(self, line: Line, one: Slice, seconds: float) -> bool:
        """Give it back with what its calls came to; whether the server could be told."""
        with self._lock:
            one.over = True
            used = max(0, one.used)
        path = f"{LEASES_PATH}/{one.id}/release"
        answer = self._post(path, {"used": in_words_of(line.subject.kind, used)}, seconds)
        if isinstance(answer, str):
            return False
        with self._lock, suppress(ValueError):
            line.slices.remove(one)
        return True

    def _renew(self, line: Line, one: Slice) -> None:
        asked = self._clock()
        answer = self._post(f"{LEASES_PATH}/{one.id}/renew", {}, ANSWER_SECONDS)
        if isinstance(answer, str):
            return
        renewed = Line(line.subject)
        renewed.take(answer, 0, asked, asked)
        with self._lock:
            if renewed.slices:
                one.ends = renewed.slices[0].ends
            elif answer.status in OF_THE_CALL:
                one.over = True

    # In the background

    def _run(self) -> None:
        with self._lock:
            if self._thread is not None or self._stop.is_set():
                return
            thread = threading.Thread(target=self._tend_on, name="tokenops-leases", daemon=True)
            with suppress(RuntimeError):  # the system has no more threads: slices end by themselves
                thread.start()
                self._thread = thread

    def _tend_on(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(TICK)
            self._wake.clear()
            try:
                if self._clock() >= self._not_before and not self._stop.is_set():
                    self.tend()
            except Exception:  # without it slices would neither be renewed nor given back
                logger.exception("Tending reservations failed; it is tried again")

    def tend(self) -> None:
        """Renew what is needed, take more before it is, give back what is not. Called each second by a thread."""
        with self._lock:
            now = self._clock()
            for subject in [subject for subject, (line, _) in self._lines.items() if line.is_forgotten(now)]:
                del self._lines[subject]
            lines = list(self._lines.values())
            for draw in [draw for draw, (*_, drawn) in self._open.items() if now - drawn > LONGEST_CALL]:
                del self._open[draw]  # its estimate stays used
            renew = [(line, one) for line, _ in lines for one in line.to_renew(now)]
            leave = [(line, one) for line, _ in lines for one in line.to_release(now)]
            more = [(line, turn) for line, turn in lines if line.wants_more(now)]
        for line, one in renew:
            if self._clock() < self._not_before:
                return
            self._renew(line, one)
        for line, turn in more:
            with turn:
                if line.wants_more(self._clock()):
                    self._take(line, line.largest or 1, draw=False)
        for line, one in leave:
            ended = line.subject.kind == "calls" and self._clock() >= one.ends
            if ended:  # the minute is over: it reserves nothing
                with self._lock, suppress(ValueError):
                    line.slices.remove(one)
            elif not self._release(line, one, ANSWER_SECONDS):
                break


def refused(decision: Decision, subject: Subject, why: Refusal | str) -> Decision:
    """The decision as a refusal for want of a reservation."""
    values = {name: value for name, value in subject._asdict().items() if value}
    if isinstance(why, str):
        reason, changes = Reason("lease_away", "block", values, why), decision.changes
    elif why.code == "workflow-paused":
        reason, changes = Reason("workflow_paused", "block", values, why.sentence), ({"kind": "resume"},)
    else:
        spent = why.code == "nothing-left" or not why.sentence
        text = SENTENCES[subject.kind].format(**values) if spent else why.sentence
        reason = Reason(f"lease_{subject.kind}", "block", values, text)
        at = why.resets_at or instant_in(REASKED)
        changes = (*decision.changes, {"kind": "reset", "at": at})
    return replace(
        decision,
        action="block",
        provider=None,
        model=None,
        fallbacks=(),
        grant_id=None,
        per_minute=None,
        leases=(),
        reasons=(*decision.reasons, reason),
        changes=changes,
    )


REASKED = 10.0  # seconds after which a refusal without a time is asked about again


def instant_in(seconds: float) -> str:
    """An instant so many seconds from now, in RFC 3339 and UTC."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
