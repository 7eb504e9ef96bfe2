"""From scored grains of one scope to stretches of unusual spend. Pure: no Django, no models."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from reports.unusual.measures import MEASURES, MONEY, NANO

BESIDE = 24  # grains before that are kept to be seen beside it
GAP = 3600  # seconds: what pauses for no longer is one finding
FAR = 1.5  # times the top of the usual range
GROWING = ("money", "tokens", "calls")  # of these, more than usual goes on; shares and means only begin something
Point = tuple[int, int, int, int, int]  # epoch second; nano-dollars: actual, expected, low, high


class Seen(Protocol):
    """What the detector says of one value, by what was before it. `score` (0 to 1) is of what is new, `loudness` the
    same whether or not something was told lately."""

    @property
    def score(self) -> float: ...
    @property
    def loudness(self) -> float: ...
    @property
    def expected(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Graded:
    """One grain: what each measure was, and what the detector says of it. `money` in nano-dollars, exact."""

    at: int
    money: int
    values: Mapping[str, float | None]
    seen: Mapping[str, Seen]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch above usual, in grains of `grain` seconds from `since` up to `until` (epoch seconds).

    `planned` names the activity of the calendar that covers all that fired; "" otherwise. `before` are the points of
    the hours before it, to be seen beside it.
    """

    grain: int
    since: int
    until: int
    measures: tuple[str, ...]
    points: tuple[Point, ...]
    peaks: Mapping[str, float] = field(default_factory=dict)
    planned: str = ""
    before: tuple[Point, ...] = ()

    @property
    def amount(self) -> int:
        return excess(self.points)


def excess(points: Iterable[Sequence[int]]) -> int:
    """Nano-dollars above usual: the sum of actual − expected."""
    return sum(point[1] - point[2] for point in points)


# (grain, measure) → None: it is told; "": somebody said that this is expected; else the planned activity's name.
Quiet = Callable[[Graded, str], str | None]


def spans_of(graded: Sequence[Graded], grain: int, threshold: float, quiet: Quiet) -> list[Span]:
    """The stretches that fired, in order of time. One begins where a score reaches the threshold and goes on while
    spend, text or calls are above their usual range; pauses of at most an hour do not end it."""
    found: list[Span] = []
    for one in graded:
        fired = [name for name in MEASURES if _fires(one, name, threshold)]
        told = {name: quiet(one, name) for name in fired}
        begins = [name for name, said in told.items() if said != ""]
        last = found[-1] if found and one.at - found[-1].until <= GAP else None
        if begins:
            is_planned = [said for name in begins if (said := told[name])]
            planned = is_planned[0] if len(is_planned) == len(begins) else ""
            mine = Span(grain, one.at, one.at + grain, tuple(begins), (), {}, planned)
            if last is None:
                found.append(mine)
            else:
                found[-1] = replace(
                    last,
                    until=mine.until,
                    measures=tuple(name for name in MEASURES if name in {*last.measures, *mine.measures}),
                    planned=last.planned if mine.planned else "",
                )
        elif last is not None and not fired and any(is_above(one, name) for name in GROWING):
            found[-1] = replace(last, until=one.at + grain)
    return [_filled(span, graded) for span in found]


def is_above(one: Graded, measure: str) -> bool:
    """Whether the value is above what was usual."""
    value, seen = one.values.get(measure), one.seen.get(measure)
    if value is None or seen is None or seen.expected is None:
        return False
    return value > max(seen.expected, seen.high if seen.high is not None else seen.expected)


def point_of(one: Graded) -> Point:
    """Money of one grain. What the detector cannot say yet is no usual: nothing was expected."""
    seen = one.seen.get(MONEY)
    expected = seen.expected if seen is not None and seen.expected is not None else 0.0
    low = seen.low if seen is not None and seen.low is not None else expected
    high = seen.high if seen is not None and seen.high is not None else expected
    return one.at, one.money, _nano(expected), _nano(low), _nano(high)


def _fires(one: Graded, measure: str, threshold: float) -> bool:
    """It is new, or so loud that it counts though something was told lately."""
    seen, value = one.seen.get(measure), one.values.get(measure)
    if seen is None or value is None or not is_above(one, measure):
        return False
    return seen.score >= threshold or (seen.loudness >= threshold and value >= FAR * (seen.high or 0.0))


def _filled(span: Span, graded: Sequence[Graded]) -> Span:
    inside = [one for one in graded if span.since <= one.at < span.until]
    peaks = {
        f"{name}:{span.grain}": max(values)
        for name in MEASURES
        if (values := [value for one in inside if (value := one.values.get(name)) is not None])
    }
    earlier = [one for one in graded if one.at < span.since][-BESIDE:]
    return replace(
        span,
        points=tuple(point_of(one) for one in inside),
        peaks=peaks,
        before=tuple(point_of(one) for one in earlier),
    )


def _nano(dollars: float) -> int:
    return max(0, round(dollars * NANO))
