"""What was used per day of the organisation's zone, model and tier: read for pages, made anew for the rest.

These days are the quarter hours summed, so that a page of a year reads a few thousand rows and not millions.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from budgets.limits.calendar import DAY, day_starts_at
from usage.rollups.run_days import MAKE_RUN_DAYS_ANEW
from usage.rollups.sums import UPSERT_CORE_DAYS, UPSERT_MODEL_DAYS, UPSERT_VALUE_DAYS

# As a rebuild and a change of the zone make them: all, since no quarter hour is ever deleted.
MAKE_ANEW = (
    "DELETE FROM usage_modelday",
    f"WITH quarter_hours AS (SELECT * FROM usage_quarterhour) {UPSERT_MODEL_DAYS}",
    "DELETE FROM usage_coreday",
    f"WITH quarter_hours AS (SELECT * FROM usage_quarterhour) {UPSERT_CORE_DAYS}",
)
# After core and wide days were made anew.
OF_DAYS = "WITH wide_days AS (SELECT * FROM usage_wide_day), days_of_core AS (SELECT * FROM usage_coreday)"
MAKE_VALUES_ANEW = ("DELETE FROM usage_valueday", f"{OF_DAYS} {UPSERT_VALUE_DAYS}")
# Between a change of the zone and the sweep that follows it, the days are another zone's: then quarter hours are read.
# The planner reads only the side that applies.
SIDES = """
SELECT day, model, tier, cost, calls, unpriced, unmeasured FROM usage_modelday
WHERE day >= %(first)s AND day <= %(last)s AND (SELECT zone FROM usage_wide_zone) = %(zone)s
UNION ALL
SELECT (bucket AT TIME ZONE %(zone)s)::date, model, tier, cost, calls, unpriced, unmeasured FROM usage_quarterhour
WHERE bucket >= %(starts)s AND bucket < %(stops)s AND (SELECT zone FROM usage_wide_zone) IS DISTINCT FROM %(zone)s"""
MODELS = f"""
SELECT model, sum(cost)::bigint, bool_or(cost <> 0), sum(unpriced)::bigint FROM ({SIDES}) AS used GROUP BY model"""
DAYS = f"""
SELECT day, CASE WHEN %(named)s::text[] IS NULL OR model = ANY(%(named)s) THEN model END, tier,
    sum(cost)::bigint, sum(calls)::bigint, sum(unpriced)::bigint, sum(unmeasured)::bigint
FROM ({SIDES}) AS used GROUP BY 1, 2, 3"""


def models_used(first: date, last: date, zone: ZoneInfo) -> list[tuple[str, int, bool, int]]:
    """(model, cost in nano-dollars, whether anything of it has a cost, calls without a price). One statement.

    Of the days `first` to `last`, both included, of the organisation's zone.
    """
    return _read(MODELS, first, last, zone)


def days_used(
    first: date, last: date, zone: ZoneInfo, named: Sequence[str] | None = None
) -> list[tuple[date, str | None, int, int, int, int, int]]:
    """(day, model, tier, cost, calls, calls without a price, calls without tokens). One statement.

    Of the same days. With `named`, all other models are summed as None.
    """
    return _read(DAYS, first, last, zone, named=None if named is None else list(named))


def make_days_anew(zone: str) -> None:
    """Sum quarter hours and runs into days of the zone, in the caller's transaction and under its lock of folding."""
    with connection.cursor() as cursor:
        for step in (*MAKE_ANEW, *MAKE_VALUES_ANEW, *MAKE_RUN_DAYS_ANEW):
            cursor.execute(step, {"zone": zone})


def _read(statement: str, first: date, last: date, zone: ZoneInfo, **more: Any) -> list[Any]:
    values: dict[str, Any] = {"first": first, "last": last, "zone": zone.key}
    bounds = {"starts": day_starts_at(first, zone), "stops": day_starts_at(last + DAY, zone)}
    with connection.cursor() as cursor:
        cursor.execute(statement, values | bounds | more)
        return list(cursor.fetchall())
