"""Small requests that arrive together are written together: one transaction and one durable commit for all of them.

A request that finds nobody writing for its sender writes at once, alone. Those that arrive meanwhile wait and are then
written by one of them, so that nothing is ever delayed by a timer. Each is answered only after the commit.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from usage.ingest.decode import Item
from usage.ingest.write import Answer, Sender, take

SMALL = 50  # events; a larger request gains nothing and would only hold up the others
MOST = 1_000  # events in one go


@dataclass(slots=True, eq=False)
class Request:
    """One request waiting for its answer, or for its turn to write."""

    items: Sequence[Item]
    turn: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None
    error: Exception | None = None


class Together:
    """The requests of one sender: at most one thread writes at a time, for all who wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: list[Request] = []
        self.is_writing = False

    def take(self, sender: Sender, items: Sequence[Item], write: Callable[[Sender, Sequence[Item]], Answer]) -> Answer:
        """The answer to this request; what writing raised is raised to everyone it concerned."""
        mine = Request(items)
        with self.lock:
            self.waiting.append(mine)
            if not self.is_writing:
                self.is_writing = True
                mine.turn.set()
        mine.turn.wait()
        if mine.answer is None and mine.error is None:
            self.write_with_others(mine, sender, write)
        if mine.error is not None:
            raise mine.error
        assert mine.answer is not None
        return mine.answer

    def write_with_others(self, mine: Request, sender: Sender, write: Callable[..., Answer]) -> None:
        """Write for all who wait (mine among them), wake them, and pass the turn on."""
        with self.lock:
            chosen, events = [mine], len(mine.items)
            rest: list[Request] = []
            for request in self.waiting:
                if request is mine:
                    continue
                events += len(request.items)
                (chosen if events <= MOST else rest).append(request)
            self.waiting = rest
        try:
            everything = [item for request in chosen for item in request.items]
            for index, item in enumerate(everything):
                item.index = index
            answers = split(write(sender, everything), [len(request.items) for request in chosen])
            for request, answer in zip(chosen, answers, strict=True):
                request.answer = answer
        except Exception as error:
            for request in chosen:
                request.error = error
        finally:
            with self.lock:
                if self.waiting:
                    self.waiting[0].turn.set()
                else:
                    self.is_writing = False
            for request in chosen:
                request.turn.set()


def split(answer: Answer, sizes: Sequence[int]) -> list[Answer]:
    """One answer for everything as one answer per request; only what was not accepted is listed in it."""
    answers, start = [], 0
    for size in sizes:
        said = [{**item, "index": item["index"] - start} for item in answer.items if 0 <= item["index"] - start < size]
        counts = Counter(item["status"] for item in said)
        answers.append(Answer(size - len(said), counts["duplicate"], counts["conflict"], counts["rejected"], said))
        start += size
    return answers


_by_sender: dict[tuple[int, frozenset[tuple[str, int]], frozenset[str]], Together] = {}
_lock = threading.Lock()


def take_together(sender: Sender, items: Sequence[Item]) -> Answer:
    """Take a request's items, together with what else its sender's source sends at this moment."""
    if len(items) > SMALL:
        return take(sender, items)
    # Keys of one source may be allowed different sources and teams, and these decide which items are refused.
    group = (sender.source_id, frozenset(sender.allowed.items()), sender.teams)
    with _lock:
        together = _by_sender.setdefault(group, Together())
    return together.take(sender, items, take)
