"""From a question to all that the explorer shows of it: table, chart, comparison. Sums are of unrounded values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from reports.asking.window import Window, compared_name, of_days
from reports.spend.asked import Asked
from reports.spend.naming import Names, names_of
from reports.spend.sums import HOUR, Answer, Keys, Row, Used, hours_of, spend, sum_of, top
from usage.prices.colours import colours_of
from usage.prices.known import known_cost

SERIES = 5  # and what is left
OTHER_SLOT = SERIES + 1
LISTED = 500  # rows of the page; all others are one
COLUMNS = 12  # groups that a chart with a second dimension shows

Key = str | None
Cells = dict[Key, list[Used]]  # what was used with each value at each point


@dataclass(frozen=True)
class Line:
    """A row of the table: what was used with these keys, and of the complete days `now` and in the days compared with.

    Both are None where they are not known, `before` also where nothing is compared.
    """

    keys: Keys
    labels: tuple[str, ...]
    used: Used
    now: int | None = None
    before: int | None = None

    @property
    def difference(self) -> int | None:
        return None if self.now is None or self.before is None else self.now - self.before


@dataclass(frozen=True)
class Series:
    """One value's figure at each point of the chart; `slot` is its colour, 1 to 6, and `key` None for all others.

    `used` is all that it used at each point.
    """

    key: Key
    name: str
    slot: int
    values: tuple[int, ...]
    used: tuple[Used, ...]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True)
class Explored:
    """`points` are days, instants of hours, or (with a second dimension) values of the first; series lie over them.

    `used` is all that was used at each point, `before` what the chart's comparison has where it has one; `complete` is
    how many points are over.
    """

    asked: Asked
    answer: Answer
    lines: tuple[Line, ...]
    points: tuple[date | datetime | Key, ...]
    series: tuple[Series, ...]
    used: tuple[Used, ...]
    complete: int
    names: Names
    other: Window | None
    before: tuple[int, ...] = ()
    before_total: Used | None = None
    now_total: Used | None = None

    @property
    def total(self) -> Used:
        return self.answer.total

    @property
    def other_name(self) -> str:
        return compared_name(self.asked.window, self.other, self.asked.compare) if self.other else ""

    @property
    def other_words(self) -> str:
        """The same within a sentence."""
        return self.other_name[:1].lower() + self.other_name[1:]

    @property
    def not_compared(self) -> str:
        """Why there is no comparison though one was asked for; "" where there is, or none was."""
        if self.asked.compare == "none" or self.other:
            return ""
        if self.asked.window.complete_days <= 0:
            return "There is no comparison yet: only complete days are compared."
        return "There is no comparison: not all days of both times could be read."

    @property
    def overlaps(self) -> bool:
        """Whether rows may count the same call twice, so that they do not sum to the total."""
        return "tag" in self.asked.groups


def explore(asked: Asked, *, draw: bool = True) -> Explored:
    """Read what is asked for: a fixed number of statements.

    With `draw` for the page, with a row each for the dearest `LISTED`; without it for a file, of all there are.
    """
    most = LISTED if draw else None
    whole = spend(
        asked.scope, asked.window, asked.groups, most=most if asked.figure == "cost" and not asked.stack else None
    )
    answer = shortened(whole, most)
    read = replace(asked, window=answer.window) if answer.cut else asked
    other = None if answer.cut else asked.before
    earlier = spend(asked.scope, other, asked.groups) if other else None  # of every row that the page lists
    if earlier and earlier.cut:
        other = earlier = None
    today = _today(read) if earlier else None
    points, complete, cells, found = _drawn(read, whole) if draw else ((), 0, {}, ())
    lines = _lines(asked, answer, earlier, today)
    values: dict[str, Sequence[Key]] = {one: [line.keys[i] for line in lines] for i, one in enumerate(asked.groups)}
    if asked.stack:  # columns and what they are split by may be in no row that is listed
        values[asked.group] = [*values[asked.group], *(one for one in points if isinstance(one, str))]
        values[asked.stack] = [*values[asked.stack], *(one.key for one in found)]
    names = names_of(asked.scope, values)
    lines = tuple(replace(line, labels=_labels(asked, names, line.keys)) for line in lines)
    series = tuple(replace(one, name=names.of(asked.stack or asked.group, one.key)) for one in found)
    drawn_before = draw and other and not asked.stack
    return Explored(
        asked=asked,
        answer=answer,
        lines=lines,
        points=points,
        series=series,
        used=tuple(sum_of(line[i] for line in cells.values()) for i in range(len(points))),
        complete=complete,
        names=names,
        other=other,
        before=_before(asked, other) if drawn_before and other else (),
        before_total=earlier.total if earlier else None,
        now_total=answer.total - today.total if earlier and today else answer.total if earlier else None,
    )


def _drawn(asked: Asked, answer: Answer) -> tuple[tuple[date | datetime | Key, ...], int, Cells, tuple[Series, ...]]:
    """Points, how many of them are over, what each value used at each, and the series drawn of it.

    They are of all rows, since the table lists the dearest only.
    """
    if asked.stack:
        columns, cells, found = _stacked(asked, answer)
        return columns, len(columns), cells, found
    points, complete = _points(asked)
    return points, complete, *_series(asked, answer, points)


def shortened(answer: Answer, most: int | None) -> Answer:
    """With one row for all others after the dearest `most`; None for as it is."""
    if most is None or len(answer.rows) <= most + 1:
        return answer
    rest = sum_of(row.used for row in answer.rows[most:])
    keys = (None,) * len(answer.rows[0].keys)
    return replace(answer, rows=(*answer.rows[:most], Row(keys, None, rest)))


def _labels(asked: Asked, names: Names, keys: Keys) -> tuple[str, ...]:
    return tuple(names.of(one, key) for one, key in zip(asked.groups, keys, strict=True))


def _today(asked: Asked) -> Answer | None:
    """What today has so far, where the window runs: comparisons are of complete days."""
    window = asked.window
    if not window.runs:
        return None
    return spend(asked.scope, of_days(window.today, window.today, window.today, window.zone), asked.groups)


def _lines(asked: Asked, answer: Answer, earlier: Answer | None, today: Answer | None) -> tuple[Line, ...]:
    """The table's rows, and with a comparison also those that had something before and have nothing now.

    Where there are more rows than are listed, what is not listed is compared with all that is not listed.
    """
    if earlier is None:
        return tuple(Line(row.keys, (), row.used) for row in answer.rows)
    found = {row.keys: row.used for row in answer.rows}
    before, running = (_beside(found, rows) for rows in (earlier.rows, today.rows if today else ()))
    # With more rows before than are read, one of these may be among those that have no row of their own.
    some_unknown = any(None in row.keys for row in earlier.rows) and not found.keys() <= before.keys()
    figure = asked.figure

    def line(keys: Keys) -> Line:
        used = found.get(keys, Used())
        now = used - running.get(keys, Used())
        then = known(before.get(keys, Used()), figure)
        if some_unknown and (keys not in before or None in keys):
            then = None
        return Line(keys, (), used, known(now, figure), then)

    gone = [keys for keys in before if keys not in found and getattr(before[keys], figure)]
    return tuple(line(keys) for keys in [*found, *gone])


def known(used: Used, figure: str) -> int | None:
    """The figure of some calls; None for a cost where none of them has a price."""
    return known_cost(used) if figure == "cost" else int(getattr(used, figure))


def _beside(listed: Mapping[Keys, Used], rows: Sequence[Row]) -> dict[Keys, Used]:
    """The rows of other days by their keys; where some are not listed, those without a row are one, too."""
    found: dict[Keys, Used] = {}
    for row in rows:
        rest: Keys = (None,) * len(row.keys)
        keys = row.keys if row.keys in listed or rest not in listed else rest
        found[keys] = found.get(keys, Used()) + row.used
    return found


def _points(asked: Asked) -> tuple[tuple[date | datetime | Key, ...], int]:
    """Days or hours of the window, those to come left out, and how many of them are over."""
    window = asked.window
    if asked.by_hour:
        hours = [one for one in hours_of(window) if one <= asked.now]
        return tuple(hours), sum(one + HOUR <= asked.now for one in hours)
    days = window.days[: (window.last - window.first).days + 1]
    return tuple(days), max(0, window.complete_days)


def _series(asked: Asked, answer: Answer, points: Sequence[Any]) -> tuple[Cells, tuple[Series, ...]]:
    """The values with the most of the figure, each at every point, and all others together. One statement."""
    named = top(answer, asked.figure, SERIES)
    rows = spend(asked.scope, asked.window, (asked.group,), "hour" if asked.by_hour else "day", named).rows
    place = {point: i for i, point in enumerate(points)}
    cells: Cells = {}
    for row in rows:
        if row.at in place:
            line = cells.setdefault(row.keys[0], [Used()] * len(points))
            line[place[row.at]] += row.used
    if asked.group == "tag":
        cells.pop(None, None)  # calls with several tags would be drawn several times
        cells.pop("", None)
    return cells, _coloured(asked.group, asked.figure, cells, named)


def _coloured(dimension: str, figure: str, cells: Cells, named: Sequence[str]) -> tuple[Series, ...]:
    """Models keep the colour that they have on all pages; other values take theirs in the order of what they used."""
    values = {key: tuple(getattr(used, figure) for used in line) for key, line in cells.items()}
    values = {key: line for key, line in values.items() if any(line)}
    kept = [key for key in named if key in values]
    slots = colours_of(kept) if dimension == "model" else {key: i + 1 for i, key in enumerate(kept)}
    found = [Series(key, "", slots[key], values[key], tuple(cells[key])) for key in kept]
    if None in values:
        found.append(Series(None, "", OTHER_SLOT, values[None], tuple(cells[None])))
    return tuple(sorted(found, key=lambda one: one.slot))


def _stacked(asked: Asked, answer: Answer) -> tuple[tuple[Key, ...], Cells, tuple[Series, ...]]:
    """The dearest values of the first dimension as columns, each split by the second; from the table's own rows."""
    figure = asked.figure
    flipped = replace(answer, rows=tuple(replace(row, keys=row.keys[::-1]) for row in answer.rows))
    columns: list[Key] = [*top(answer, figure, COLUMNS)]
    named = top(flipped, figure, SERIES)
    if any(row.keys[0] not in columns for row in answer.rows):
        columns.append(None)
    place = {key: i for i, key in enumerate(columns)}
    cells: Cells = {}
    for row in answer.rows:
        key = row.keys[1] if row.keys[1] in named else None
        line = cells.setdefault(key, [Used()] * len(columns))
        line[place.get(row.keys[0], len(columns) - 1)] += row.used
    return tuple(columns), cells, _coloured(asked.stack, figure, cells, named)


def _before(asked: Asked, other: Window) -> tuple[int, ...]:
    """The figure of each point of the days compared with, in their order. One statement."""
    answer = spend(asked.scope, other, (), "hour" if asked.by_hour else "day")
    at = {row.at: getattr(row.used, asked.figure) for row in answer.rows}
    points: Sequence[Any] = hours_of(other) if asked.by_hour else other.days
    return tuple(at.get(one, 0) for one in points)
