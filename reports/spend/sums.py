"""The one query behind the explorer's page, chart, table, CSV and JSON: what a scope used in a window, by dimensions.

Read from days of all core dimensions, from quarter hours where hours are asked for, or from days of one wide dimension.
Only what no rollup holds is read from the ledger, and then of no more calls than `READ_MOST`: the newest days with no
more than that are read whole, and the answer says from when.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from django.db import connection

from budgets.limits.calendar import DAY
from reports.asking.scope import DIMENSIONS, Scope
from reports.asking.window import Window, of_days
from reports.spend.cells import SUMMED, Grain, cells_of, source_of

MOST_ROWS = 20_000  # of one answer; what comes after the dearest is one row
READ_MOST = 500_000  # calls of the ledger for one answer; a single day is read whatever it has

Keys = tuple[str | None, ...]
HOUR = timedelta(hours=1)
# Of months that were detached after their retention only rollups are left.
CALLS_BY_DAY = """
SELECT day, sum(calls)::bigint FROM usage_valueday
WHERE dimension = 'status' AND day >= %(first)s AND day <= %(last)s
    AND day > (coalesce((SELECT max(month + interval '1 month') AT TIME ZONE 'UTC' FROM usage_detached_month),
        timestamptz '1900-01-01 00:00:00+00') AT TIME ZONE %(zone)s)::date GROUP BY 1
UNION ALL SELECT (max(month + interval '1 month') AT TIME ZONE 'UTC' AT TIME ZONE %(zone)s)::date, NULL
FROM usage_detached_month HAVING count(*) > 0"""


@dataclass(frozen=True, slots=True)
class Used:
    """Sums of some calls. `cost` in nano-dollars, of priced calls only; `unpriced` and `unmeasured` have none."""

    cost: int = 0
    calls: int = 0
    unpriced: int = 0
    unmeasured: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Used") -> "Used":
        return Used(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def is_nothing(self) -> bool:
        return not any(astuple(self))


@dataclass(frozen=True, slots=True)
class Row:
    """What was used with these values of the dimensions asked for, in their order; None: all others together.

    "" (and "0" for a tier) is what calls did not state. `at` is the day, or the instant that the hour starts at (UTC);
    None where no grain was asked for.
    """

    keys: Keys
    at: date | datetime | None
    used: Used


@dataclass(frozen=True)
class Answer:
    """Rows, the dearest first, by time where a grain was asked for; and their sum, which tags do not add up to.

    `how`: read from a rollup or from the ledger. `cut`: fewer days were read than asked for; `window` says which.
    """

    rows: tuple[Row, ...]
    total: Used
    how: Literal["rollup", "ledger"]
    cut: bool
    window: Window

    def by_time(self) -> dict[Any, Used]:
        """The sum of each day or hour that has any."""
        found: dict[Any, Used] = {}
        for row in self.rows:
            found[row.at] = found.get(row.at, Used()) + row.used
        return found


def spend(
    scope: Scope,
    window: Window,
    group: Sequence[str] = (),
    grain: Grain = "none",
    only: Sequence[str] | None = None,
    most: int | None = None,
) -> Answer:
    """What `scope` used in `window` by the dimensions of `group` (none to two), and by day or hour.

    With `only`, other values of the first dimension are one row with None; so are rows after the dearest `most`. One
    statement; two for tags, and one more where the ledger is read. Raises ValueError for a dimension there is not.
    """
    if wrong := [one for one in group if one not in DIMENSIONS]:
        raise ValueError(f"no such dimension: {wrong[0]}")
    source = source_of(scope, group, grain)
    read = readable(window) if source == "ledger" else window
    params = _bounds(read)
    cells = cells_of(scope, tuple(group), grain, source, params, only)
    params["most"] = MOST_ROWS if most is None else most
    rows = list(_rows(_statement(cells, group, grain, only, params), params, len(group), grain, read))
    total = sum_of(row.used for row in rows)
    if "tag" in group:
        total = spend(scope, read, (), "none").total
    how: Literal["rollup", "ledger"] = "ledger" if source == "ledger" else "rollup"
    return Answer(tuple(rows), total, how, read != window, read)


def sum_of(parts: Iterable[Used]) -> Used:
    columns = list(zip(*(astuple(one) for one in parts), strict=True))
    return Used(*(sum(column) for column in columns)) if columns else Used()


def readable(window: Window) -> Window:
    """The newest days of the window of which the ledger is still there and has at most `READ_MOST` calls. A statement.

    At least one day: where the newest one alone has more, that one.
    """
    with connection.cursor() as cursor:
        cursor.execute(CALLS_BY_DAY, _bounds(window))
        found = cursor.fetchall()
    by_day = {day: int(calls) for day, calls in found if calls is not None}
    first = max([window.first, *(day + DAY for day, calls in found if calls is None)])
    left = READ_MOST
    for day in sorted(by_day, reverse=True):
        left -= max(0, by_day[day])
        if left < 0:
            first = max(first, min(day + DAY, max(by_day)))
            break
    if first <= window.first:
        return window
    return of_days(min(first, window.last), window.last, window.today, window.zone, window.ends)


def _bounds(window: Window) -> dict[str, Any]:
    return {
        "first": window.first,
        "last": window.last,
        "starts": window.starts_at,
        "stops": window.stops_at,
        "zone": window.zone.key,
        "days": list(window.days),
    }


def _statement(
    cells: str, group: Sequence[str], grain: Grain, only: Sequence[str] | None, params: dict[str, Any]
) -> str:
    """Group the cells; beyond `most` all others are one row, so that the rows sum to the total."""
    names = [f"k{i}" for i in range(len(group))]
    shown = list(names)
    if only is not None and names:
        params["only"] = list(only)
        shown[0] = "CASE WHEN k0 = ANY(%(only)s::text[]) THEN k0 END"
    at = "at" if grain != "none" else "NULL::date"
    head = ", ".join([f"{at} AS at", *(f"{sql} AS {name}" for sql, name in zip(shown, names, strict=True))])
    places = ", ".join(str(1 + i) for i in range(1 + len(names)))
    grouped = f"SELECT {head}, {SUMMED} FROM ({cells}) AS cells GROUP BY {places}"
    order = ", ".join(["cost DESC", "calls DESC", *names])
    if grain != "none":
        return f"{grouped} ORDER BY at, {order}"
    rest = ", ".join(f"CASE WHEN place <= %(most)s THEN {name} END" for name in names)
    ranked = f"SELECT *, row_number() OVER (ORDER BY {order}) AS place FROM ({grouped}) AS grouped"
    return (
        f"SELECT at, {rest + ', ' if rest else ''}{SUMMED} FROM ({ranked}) AS ranked "
        f"GROUP BY at, least(place, %(most)s + 1){', ' + rest if rest else ''} ORDER BY least(min(place), %(most)s + 1)"
    )


def _rows(statement: str, params: dict[str, Any], keys: int, grain: Grain, window: Window) -> Iterator[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        for at, *found in cursor.fetchall():
            used = Used(*(int(one) for one in found[keys:]))
            if not used.is_nothing:
                yield Row(tuple(found[:keys]), window.starts_at + at * HOUR if grain == "hour" else at, used)


def hours_of(window: Window) -> list[datetime]:
    """The instant (UTC) that each hour of the window starts at: 23 or 25 on the days that clocks change."""
    many = -((window.starts_at - window.stops_at) // HOUR)
    return [window.starts_at + i * HOUR for i in range(many)]


def top(answer: Answer, metric: str, many: int) -> list[str]:
    """The first key of the rows with the most of `metric`, at most so many; those that state nothing too."""
    sums: dict[str, int] = {}
    for row in answer.rows:
        key = row.keys[0] if row.keys else None
        if key is not None:
            sums[key] = sums.get(key, 0) + int(getattr(row.used, metric))
    ranked = sorted((key for key in sums if sums[key] > 0), key=lambda key: (-sums[key], key))
    return ranked[:many]
