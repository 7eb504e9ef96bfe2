"""Replay one file: read, pace, send, count."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from usage.replay.formats import recognise
from usage.replay.pacing import Due, batches, moved
from usage.replay.sender import EventSender, encoded
from usage.replay.trace import Event, Format, Given, OpenTrace, Unreadable, open_trace

REASONS_KEPT = 50


@dataclass
class Tally:
    """What was read and what became of it. Token sums are of the calls read."""

    read: int = 0
    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    unreadable: int = 0
    unmeasured: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    first: datetime | None = None
    last: datetime | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    share_read: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether every line became a call that the server counts once, as it was sent."""
        return not (self.rejected or self.unreadable or self.conflict)

    def note(self, reason: str) -> None:
        """Count a reason; beyond the first fifty kinds they are counted together."""
        self.reasons[reason if reason in self.reasons or len(self.reasons) < REASONS_KEPT else "other reasons"] += 1

    def add(self, event: Event) -> None:
        self.read += 1
        at = event["time"]
        self.first = at if self.first is None or at < self.first else self.first
        self.last = at if self.last is None or at > self.last else self.last
        if event.get("input_tokens") is None and event.get("output_tokens") is None:
            self.unmeasured += 1
        for name in ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens"):
            setattr(self, name, getattr(self, name) + (event.get(name) or 0))


@dataclass(frozen=True)
class Shift:
    """Where in time a replay is put: its last call lands on `to`; or, with `speed`, its first, and time runs faster.

    So a paced replay's calls happen when they are sent, and never in the future.
    """

    to: datetime
    speed: float | None = None

    @property
    def mark(self) -> str:
        return f"{self.to:%Y%m%dT%H%M%SZ}" + (f"x{self.speed:g}" if self.speed else "")

    def place(self, span: tuple[datetime, datetime]) -> Callable[[datetime], datetime]:
        """From a trace's own time to the new one, for a trace of this span."""
        first, last = span
        speed = self.speed
        if speed is None:
            return lambda time: time + (self.to - last)
        return lambda time: self.to + (time - first) / speed


@dataclass(frozen=True)
class Plan:
    """One replay. Without a sender nothing is sent."""

    path: Path
    given: Given
    due: Due
    batch: int
    limit: int | None = None
    shift: Shift | None = None
    sender: EventSender | None = None


def calls(found: Format, trace: OpenTrace, given: Given, limit: int | None, tally: Tally | None) -> Iterator[Event]:
    """The trace's calls, at most `limit`; unreadable lines go to the tally."""
    given = replace(given, fingerprint=trace.fingerprint)
    number = 0
    for item in found.read(trace.lines, given):
        if isinstance(item, Unreadable):
            if tally is not None:
                tally.unreadable += 1
                tally.note(f"line {item.line}: {item.reason}" if tally.unreadable <= 5 else "other lines not readable")
            continue
        yield item
        number += 1
        if limit is not None and number >= limit:
            return


def time_span(plan: Plan, found: Format) -> tuple[datetime, datetime] | None:
    """First and last instant of the calls that will be sent; reads the file once. None for an empty trace."""
    with open_trace(plan.path) as trace:
        times = (call["time"] for call in calls(found, trace, plan.given, plan.limit, None))
        first = next(times, None)
        if first is None:
            return None
        low = high = first
        for at in times:
            low, high = min(low, at), max(high, at)
        return low, high


def find_format(path: Path) -> Format:
    """The file's format. UnknownFormat or OSError."""
    with open_trace(path) as trace:
        return recognise(trace.head)


def replay(plan: Plan, tally: Tally, found: Format, progressed: Callable[[Tally], None]) -> None:
    """Send the file's calls as planned and fill `tally`, which stands for what was done when this raises half-way."""
    span = time_span(plan, found) if plan.shift else None
    started = time.monotonic()
    with open_trace(plan.path) as trace:
        events = calls(found, trace, plan.given, plan.limit, tally)
        if plan.shift is not None and span is not None:
            events = moved(events, plan.shift.place(span), plan.shift.mark)
        for at, batch in batches(events, plan.due, plan.batch):
            for event in batch:
                tally.add(event)
            tally.share_read = tally.read / plan.limit if plan.limit else trace.share_read()
            if plan.sender is not None:
                send(plan.sender, batch, tally, started + at)
            progressed(tally)
        tally.share_read = 1.0


def send(sender: EventSender, batch: list[Event], tally: Tally, at: float) -> None:
    """Send one batch at its moment and count the answer."""
    pause = at - time.monotonic()
    if pause > 0:
        sender.rest(pause)
    answer = sender.send([encoded(event) for event in batch])
    tally.sent += len(batch)
    tally.accepted += answer.accepted
    tally.duplicate += answer.duplicate
    tally.conflict += answer.conflict
    tally.rejected += answer.rejected
    for item in answer.items:
        if item.status == "rejected":
            tally.note(item.reason)
        elif item.status == "conflict":
            tally.note("conflict: sent before with other content; the first was kept")
