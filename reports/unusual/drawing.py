"""A finding as a chart that the server draws: bars of what was spent, and the usual range behind them. Pure.

Numbers are of the SVG's own units, `WIDTH` × `HEIGHT`; the page stretches it. Labels come finished.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, ROOM = 960, 200, 8
LABELS = 4  # as many as fit beside each other on a phone


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
class Label:
    """Below the bar that begins at `x`, in percent. `day` is "" where it is that of the label before.

    What has no room to the right of there ends with the chart.
    """

    x: float
    clock: str
    day: str

    @property
    def clock_ends(self) -> bool:
        return self.x > 87

    @property
    def day_ends(self) -> bool:
        return self.x > 77


@dataclass(frozen=True, slots=True)
class Drawing:
    """`band` and `line` are the points of a polygon and a polyline; empty where no usual is known."""

    bars: tuple[Bar, ...]
    band: str
    line: str
    labels: tuple[Label, ...]
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
    return Drawing(
        tuple(bars), " ".join([*tops, *reversed(floors)]), " ".join(middles) if len(middles) > 1 else "",
        labels_of([label(point[0] or 0) for point in points]), money(most),
    )  # fmt: skip


def labels_of(said: Sequence[str]) -> tuple[Label, ...]:
    """Of all bars' ("Wed 18 Nov, 13:00", or "Wed 18 Nov" of days) those that stand below the chart, evenly spaced."""
    found: list[Label] = []
    before = ""
    for n in range(0, len(said), max(1, -(-len(said) // LABELS))):
        day, _, clock = said[n].partition(", ")
        found.append(Label(round(n * 100 / len(said), 2), clock, "" if day == before else day))
        before = day
    return tuple(found)


def _number(value: float) -> str:
    return f"{value:.1f}"
