"""When each call of a trace is due. Pure arithmetic: seconds since the replay began."""

from collections.abc import Callable, Iterator
from datetime import datetime

from usage.replay.trace import Event

# Calls that are due this close together travel in one request, so that a high rate is not one request a call.
SLOT_SECONDS = 0.25

Due = Callable[[int, datetime], float]


def at_once(_number: int, _time: datetime) -> float:
    """As fast as the server takes them."""
    return 0.0


def at_rate(events_per_second: float) -> Due:
    """Evenly, whatever the trace's own times."""
    return lambda number, _time: number / events_per_second


def at_speed(factor: float) -> Due:
    """In the trace's own rhythm, `factor` times as fast. A call that is out of order is due at once."""
    first: list[datetime] = []

    def due(_number: int, time: datetime) -> float:
        if not first:
            first.append(time)
        return max(0.0, (time - first[0]).total_seconds() / factor)

    return due


def batches(events: Iterator[Event], due: Due, size: int) -> Iterator[tuple[float, list[Event]]]:
    """(when the last one is due, calls) of at most `size` calls that are due within one slot."""
    batch: list[Event] = []
    opens = last = 0.0
    for number, event in enumerate(events):
        # Never before the call ahead of it: a trace out of order does not go back in time.
        at = max(last, due(number, event["time"]))
        if batch and (len(batch) >= size or at > opens + SLOT_SECONDS):
            yield last, batch
            batch = []
        if not batch:
            opens = at
        batch.append(event)
        last = at
    if batch:
        yield last, batch


def moved(events: Iterator[Event], place: Callable[[datetime], datetime], mark: str) -> Iterator[Event]:
    """The same calls at another time. They are other calls, so `mark` makes their ids others too."""
    for event in events:
        yield {**event, "time": place(event["time"]), "id": f"{event['id'][: 127 - len(mark)]}@{mark}"}
