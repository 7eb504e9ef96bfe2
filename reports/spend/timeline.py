"""A run drawn as a timeline: a lane per call, from its begin to its end, and what its input was made of.

Pure. Places and widths are percents with two digits, as SVG attributes take them. A call's time is when it ended; it
began its latency before, and a call that states none is drawn as a mark at its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LAYERS = {
    "system": ("Instructions", 1),
    "history": ("History", 2),
    "retrieval": ("Retrieved", 3),
    "tools": ("Tools", 4),
    "user": ("User", 5),
}
REST = ("Memory, format and not stated", 6)
DRAWN = 200  # calls
THINNEST = 0.4  # percent


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens of one layer, and where its piece of the bar lies."""

    name: str
    slot: int
    tokens: int
    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A call of the run. `cost` has its corrections in it, None where it has no price; `x` and `width` on the time."""

    entry: Any
    cost: int | None
    x: str
    width: str
    parts: tuple[Part, ...]
    is_taken_back: bool


def lanes(entries: Sequence[Any]) -> list[Lane]:
    """The first `DRAWN` calls by when they began. Each entry has the columns of the ledger as attributes."""
    more: dict[int, int] = {}
    priced: set[int] = set()
    gone = set()
    for one in entries:
        if one.corrects is not None:
            more[one.corrects] = more.get(one.corrects, 0) + (one.cost or 0)
            priced |= {one.corrects} if one.cost is not None else set()
            gone |= {one.corrects} if one.kind == 2 else set()
    calls = sorted((one for one in entries if one.is_call), key=lambda one: (began(one), one.time, one.id))[:DRAWN]
    if not calls:
        return []
    start, stop = began(calls[0]), max(one.time for one in calls)
    whole = max(stop - start, timedelta(milliseconds=1))
    longest = max((one.input_tokens or 0) for one in calls)
    found = []
    for one in calls:
        known = one.cost is not None or one.id in priced
        x, width = placed((began(one) - start) / whole, (one.time - began(one)) / whole)
        cost = (one.cost or 0) + more.get(one.id, 0) if known else None
        found.append(Lane(one, cost, x, width, parts(one.context or {}, one.input_tokens, longest), one.id in gone))
    return found


def began(entry: Any) -> datetime:
    found: datetime = entry.time - timedelta(milliseconds=entry.latency_ms or 0)
    return found


def placed(x: float, width: float) -> tuple[str, str]:
    """Both in percent; wide enough to be seen, and within the lane."""
    width = max(width * 100, THINNEST)
    return percent(min(x * 100, 100 - width)), percent(width)


def parts(context: Mapping[str, int], tokens: int | None, longest: int) -> tuple[Part, ...]:
    """A call's input by layer, as wide as it is long beside the longest of the run."""
    if not tokens or not longest:
        return ()
    stated = [(name, slot, max(0, int(context.get(layer) or 0))) for layer, (name, slot) in LAYERS.items()]
    rest = tokens - sum(count for _, _, count in stated)
    found, x = [], 0.0
    scale = 100 / longest
    if rest < 0:  # more is stated by layer than there is in all
        scale *= tokens / (tokens - rest)
    for name, slot, count in [*stated, (*REST, max(0, rest))]:
        if count:
            found.append(Part(name, slot, count, percent(x), percent(count * scale)))
            x += count * scale
    return tuple(found)


def percent(value: float) -> str:
    return f"{value:.2f}%"


def legend(drawn: Sequence[Lane]) -> list[tuple[str, int]]:
    """Name and colour of each layer that is there, in the order of the bars."""
    there = {part.slot for lane in drawn for part in lane.parts}
    return [(name, slot) for name, slot in [*LAYERS.values(), REST] if slot in there]
