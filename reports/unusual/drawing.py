"""A finding as a chart that the server draws: bars of what was spent, and the usual range behind them. Pure.

Numbers are of the SVG's own units, `WIDTH` × `HEIGHT`; the page stretches it. Labels come finished.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, ROOM = 960, 200, 8
LABELS = 5


@dataclass(frozen=True, slots=True)
class Bar:
    """`kind` is "was" before the finding, "is" in it. `said` is the sentence of the pointer."""

    x: str
    y: str
    width: str
    height: str
    kind: str
    said: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """`band` and `line` are the points of a polygon and a polyline; empty where no usual is known."""

    bars: tuple[Bar, ...]
    band: str
    line: str
    labels: tuple[str, ...]
    top: str
    width: int = WIDTH
    height: int = HEIGHT


def draw(
    points: Sequence[Sequence[int | None]],
    since: int,
    label: Callable[[int], str],
    money: Callable[[int], str],
) -> Drawing:
    """`points` as `Finding.points`; `label` says an epoch second, `money` nano-dollars."""
    most = max((value for point in points for value in point[1:] if value is not None), default=0) or 1
    step = WIDTH / max(1, len(points))

    def high(value: int) -> float:
        return HEIGHT - max(0, value) * (HEIGHT - ROOM) / most

    bars, tops, floors, middles = [], [], [], []
    for n, point in enumerate(points):
        at, actual, expected, low, top = (point[0] or 0), (point[1] or 0), point[2], point[3], point[4]
        left, y = n * step, high(actual)
        usual = "" if expected is None else f"; usual {money(expected)}"
        bars.append(
            Bar(
                _number(left + step * 0.15),
                _number(y),
                _number(step * 0.7),
                _number(HEIGHT - y),
                "is" if at >= since else "was",
                f"{label(at)}: {money(actual)}{usual}",
            )
        )
        if expected is not None and low is not None and top is not None:
            for x in (left, left + step):
                tops.append(f"{_number(x)},{_number(high(top))}")
                floors.append(f"{_number(x)},{_number(high(low))}")
            middles.append(f"{_number(left + step / 2)},{_number(high(expected))}")
    every = max(1, -(-len(points) // LABELS))
    labels = shortened([label(points[n][0] or 0) for n in range(0, len(points), every)])
    return Drawing(
        tuple(bars), " ".join([*tops, *reversed(floors)]), " ".join(middles) if len(middles) > 1 else "", labels,
        money(most),
    )  # fmt: skip


def shortened(labels: Sequence[str]) -> tuple[str, ...]:
    """ "Wed 18 Nov, 13:00", "15:00": the day is said where it changes."""
    said: list[str] = []
    before = ""
    for one in labels:
        day, comma, clock = one.partition(", ")
        said.append(clock if comma and day == before else one)
        before = day
    return tuple(said)


def _number(value: float) -> str:
    return f"{value:.1f}"
