"""What was used per day of the organisation's zone: read for pages, made anew for the rest.

These days are the quarter hours summed, so that a page of a year reads a few thousand rows and not millions.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from budgets.limits.calendar import DAY, day_starts_at
from usage.rollups.run_days import MAKE_RUN_DAYS_ANEW
from usage.rollups.sums import UPSERT_CORE_DAYS, UPSERT_VALUE_DAYS

# As a rebuild and a change of the zone make them: all, since no quarter hour is ever deleted.
MAKE_ANEW = (
    "DELETE FROM usage_coreday",
    f"WITH quarter_hours AS (SELECT * FROM usage_quarterhour) {UPSERT_CORE_DAYS}",
)
# After core and wide days were made anew.
OF_DAYS = "WITH wide_days AS (SELECT * FROM usage_wide_day), days_of_core AS (SELECT * FROM usage_coreday)"
MAKE_VALUES_ANEW = ("DELETE FROM usage_valueday", f"{OF_DAYS} {UPSERT_VALUE_DAYS}")
# Between a change of the zone and the sweep that follows it, the days are another zone's: then quarter hours are read.
# The planner reads only the side that applies.
DAYS_ASKED = "day >= %(first)s AND day <= %(last)s AND (SELECT zone FROM usage_wide_zone) = %(zone)s"
QUARTERS_ASKED = (
    "bucket >= %(starts)s AND bucket < %(stops)s AND (SELECT zone FROM usage_wide_zone) IS DISTINCT FROM %(zone)s"
)
USED = "cost, calls, unpriced, unmeasured"
VALUES = f"""
SELECT dimension, day, value, {USED} FROM usage_valueday WHERE {DAYS_ASKED}
UNION ALL
SELECT dimension, (bucket AT TIME ZONE %(zone)s)::date, value, {USED} FROM usage_quarterhour
CROSS JOIN LATERAL (VALUES ('model', model), ('tier', tier::text)) AS stated (dimension, value)
WHERE {QUARTERS_ASKED}"""
MODELS_AND_TIERS = f"""
SELECT dimension, value, sum(cost)::bigint, bool_or(cost <> 0), sum(calls)::bigint, sum(unpriced)::bigint
FROM ({VALUES}) AS used WHERE dimension IN ('model', 'tier') GROUP BY 1, 2"""
MODEL_DAYS = f"""
SELECT day, CASE WHEN value = ANY(%(named)s::text[]) THEN value END, sum(cost)::bigint, sum(calls)::bigint,
    sum(unmeasured)::bigint
FROM ({VALUES}) AS used WHERE dimension = 'model' GROUP BY 1, 2"""
TIER_DAYS = f"""
SELECT day, model, tier, sum(cost)::bigint, sum(calls)::bigint, sum(unpriced)::bigint, sum(unmeasured)::bigint
FROM (
    SELECT day, model, tier, {USED} FROM usage_coreday WHERE {DAYS_ASKED}
    UNION ALL
    SELECT (bucket AT TIME ZONE %(zone)s)::date, model, tier, {USED} FROM usage_quarterhour WHERE {QUARTERS_ASKED}
) AS used GROUP BY 1, 2, 3"""


def models_and_tiers(first: date, last: date, zone: ZoneInfo) -> list[tuple[str, str, int, bool, int, int]]:
    """("model" or "tier", its name or number, cost, whether anything of it has a cost, calls, those without a price).

    Of the days `first` to `last`, both included, of the organisation's zone; cost in nano-dollars. One statement.
    """
    return _read(MODELS_AND_TIERS, first, last, zone)


def models_by_day(
    first: date, last: date, zone: ZoneInfo, named: Sequence[str]
) -> list[tuple[date, str | None, int, int, int]]:
    """(day, model, cost, calls, calls without tokens) of the same days; models not `named` are summed as None."""
    return _read(MODEL_DAYS, first, last, zone, named=list(named))


def tiers_by_day(first: date, last: date, zone: ZoneInfo) -> list[tuple[date, str, int, int, int, int, int]]:
    """(day, model, tier, cost, calls, calls without a price, calls without tokens) of the same days. One statement.

    From the days of all core dimensions, so many more rows than the others read.
    """
    return _read(TIER_DAYS, first, last, zone)


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
