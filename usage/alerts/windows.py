"""Spend by window and scope, from rollups: who exceeded what, and when. Two statements, however many there are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from budgets.limits.calendar import DAY, QUARTER_HOUR, day_of, day_starts_at
from usage.alerts.scopes import COMPANY, CORE, Span, days_between, span_of

MOST = 2_000  # of one look or preview; the largest are told
KEYS = {
    COMPANY: "''",
    "workflow": "coalesce(w.merged_into_id, w.id)::text",
    "team": "q.team",
    "model": "q.model",
    "provider": "q.provider",
    "environment": "q.environment",
}
CORE_CELLS = """
SELECT {key} AS key, date_trunc(%(window)s, q.bucket AT TIME ZONE %(zone)s) AS period, q.bucket AS at, q.cost
FROM usage_quarterhour q {join}
WHERE q.bucket >= %(starts)s AND q.bucket < %(stops)s
    AND (%(workflows)s::int[] IS NULL OR q.workflow_id = ANY(%(workflows)s::int[]))
"""
WIDE_CELLS = """
SELECT q.value AS key, date_trunc(%(window)s, q.day::timestamp) AS period, q.day::timestamp AT TIME ZONE 'UTC' AS at,
    q.cost
FROM usage_wide_day q
WHERE q.dimension = %(dimension)s AND q.day >= %(first)s AND q.day <= %(last)s
    AND (%(workflows)s::int[] IS NULL OR q.workflow_id = ANY(%(workflows)s::int[]))
"""
# `usual` is the mean of the windows before, from the first in which anything was used on, `before` at most.
ABOVE = """
WITH cells AS ({cells}), sums AS (
    SELECT key, period, sum(cost)::bigint AS cost,
        coalesce(sum(cost) FILTER (WHERE at < %(new)s), 0)::bigint AS old
    FROM cells {narrowed} GROUP BY key, period
), usual AS (
    SELECT key, period, cost, old,
        coalesce(sum(cost) OVER before, 0) AS spent_before,
        round(extract(epoch FROM period - min(period) OVER before) / extract(epoch FROM %(step)s::interval)) AS windows
    FROM sums
    WINDOW before AS (PARTITION BY key ORDER BY period
        RANGE BETWEEN %(back)s::interval PRECEDING AND %(step)s::interval PRECEDING)
)
SELECT key, period, cost, CASE WHEN windows > 0 THEN (spent_before / windows)::bigint END AS usual, old
FROM usual WHERE cost > %(above)s AND period >= %(from)s
    AND (%(factor)s::numeric IS NULL OR (windows >= %(least)s AND spent_before > 0
        AND cost > %(factor)s::numeric * spent_before / windows))
ORDER BY cost DESC, key, period LIMIT %(most)s
"""
WHEN = """
WITH cells AS ({cells}), sums AS (
    SELECT key, period, at, sum(cost) AS cost FROM cells
    WHERE (key, period) IN (SELECT * FROM unnest(%(keys)s::text[], %(periods)s::timestamp[]))
    GROUP BY key, period, at
), running AS (
    SELECT key, period, at, sum(cost) OVER (PARTITION BY key, period ORDER BY at) AS cost FROM sums
)
SELECT key, period, min(at) FROM running
JOIN unnest(%(keys)s::text[], %(periods)s::timestamp[], %(amounts)s::bigint[]) AS w (key, period, above)
    USING (key, period)
WHERE running.cost > w.above GROUP BY key, period
"""


@dataclass(frozen=True, slots=True)
class Usual:
    """How a usual is made: of `back` windows at most, `least` of them at least; `factor` times it is unusual."""

    factor: str
    back: int
    least: int


@dataclass(frozen=True, slots=True)
class Above:
    """What exceeded: in nano-dollars, `limit` what was exceeded and `usual` what it spends usually, if that is asked.

    `reached_at` is the end of the quarter hour (of the day, for what is summed by days) that exceeded it, or the moment
    of reading.
    """

    key: str
    span: Span
    cost: int
    limit: int
    usual: int | None
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read. `value` narrows a dimension to one key (of a workflow its id); `workflows` to these ids."""

    dimension: str
    value: str
    window: str
    zone: ZoneInfo
    workflows: Sequence[int] | None = None

    def above(
        self,
        amount: int,
        starts: datetime,
        stops: datetime,
        usual: Usual | None = None,
        since: datetime | None = None,
        is_told: Callable[[str, Span], bool] = lambda key, span: False,
    ) -> list[Above]:
        """What spent more than `amount` in the windows from `starts` (which begins one) until `stops`.

        What exceeded it before `since`, or `is_told` already, is left out: when it did costs most to find out.
        """
        step = {"hour": timedelta(hours=1), "day": DAY, "week": 7 * DAY, "month": 31 * DAY}[self.window]
        back = usual.back if usual else 1
        values = self._values(starts - back * step - DAY if usual else starts, stops) | {
            "above": amount,
            "from": self._local(starts),
            "factor": usual.factor if usual else None,
            "least": usual.least if usual else 0,
            "step": step,
            "back": back * step,
            "most": MOST,
            "new": self._first_at(since or starts),
        }
        with connection.cursor() as cursor:
            cursor.execute(ABOVE.format(cells=self._cells(), narrowed=self._narrowed()), values)
            rows = [
                row[:4]
                for row in cursor.fetchall()
                if row[4] <= self._limit(amount, row[3], usual)
                and not is_told(row[0], span_of(self.window, row[1], self.zone))
            ]
            limits = [self._limit(amount, mean, usual) for *_, mean in rows]
            reached = self._reached(cursor, rows, limits, starts, stops) if rows else {}
        found = []
        for (key, period, cost, mean), limit in zip(rows, limits, strict=True):
            span = span_of(self.window, period, self.zone)
            at = min(reached.get((key, period), stops), stops)
            found.append(Above(key, span, int(cost), limit, int(mean) if usual else None, at))
        return found

    def spent(self, span: Span, stops: datetime, keys: Sequence[str]) -> dict[str, int]:
        """What each of these keys spent in that window until `stops`."""
        values = self._values(span.starts_at, min(span.ends_at, stops)) | {"keys": list(keys)}
        sql = f"SELECT key, sum(cost)::bigint FROM ({self._cells()}) AS cells WHERE key = ANY(%(keys)s) GROUP BY key"
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return dict(cursor.fetchall())

    def _limit(self, amount: int, mean: Any, usual: Usual | None) -> int:
        if usual is None:
            return amount
        return max(amount, int(Decimal(usual.factor) * int(mean)))

    def _reached(
        self, cursor: Any, rows: Sequence[Any], limits: Sequence[int], starts: datetime, stops: datetime
    ) -> dict[tuple[str, datetime], datetime]:
        values = self._values(starts, stops) | {
            "keys": [row[0] for row in rows],
            "periods": [row[1] for row in rows],
            "amounts": limits,
        }
        cursor.execute(WHEN.format(cells=self._cells()), values)
        found = {}
        for key, period, at in cursor.fetchall():
            if self._is_core:
                found[key, period] = at + QUARTER_HOUR
            else:  # stated as a midnight of UTC; meant is the end of that day of the organisation's
                found[key, period] = day_starts_at(at.astimezone(UTC).date() + DAY, self.zone)
        return found

    def _first_at(self, since: datetime) -> datetime:
        """The first `at` of a cell that ends at `since` or later."""
        if self._is_core:
            return since - QUARTER_HOUR
        return datetime.combine(day_of(since, self.zone), time(), UTC)

    @property
    def _is_core(self) -> bool:
        return self.dimension == COMPANY or self.dimension in CORE

    def _cells(self) -> str:
        if not self._is_core:
            return WIDE_CELLS
        join = "JOIN budgets_workflow w ON w.id = q.workflow_id" if self.dimension == "workflow" else ""
        return CORE_CELLS.format(key=KEYS[self.dimension], join=join)

    def _narrowed(self) -> str:
        if self.dimension == COMPANY:
            return ""
        return "WHERE key = %(value)s" if self.value else "WHERE key <> ''"

    def _local(self, when: datetime) -> datetime:
        zone = UTC if self.window == "hour" else self.zone
        return when.astimezone(zone).replace(tzinfo=None)

    def _values(self, starts: datetime, stops: datetime) -> dict[str, Any]:
        first, last = days_between(starts, stops, self.zone)
        return {
            "window": self.window,
            "zone": "UTC" if self.window == "hour" else str(self.zone),
            "starts": starts,
            "stops": stops,
            "first": first,
            "last": last,
            "dimension": self.dimension,
            "value": self.value,
            "workflows": None if self.workflows is None else list(self.workflows),
        }
