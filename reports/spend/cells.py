"""The SQL of what a scope used, in cells of the dimensions asked for: which table knows them, and how it is read."""

from collections.abc import Sequence
from typing import Any, Literal

from reports.asking.scope import BESIDE_WIDE, COLUMNS, CORE, WIDE, WORKFLOW_IDS, Scope
from usage.rollups.days import DAYS_ASKED, QUARTERS_ASKED
from usage.rollups.sums import SUMS

Grain = Literal["none", "day", "hour"]
USED = ("cost", "calls", "unpriced", "unmeasured", "input_tokens", "output_tokens", "retries")
SUMMED = ", ".join(f"coalesce(sum({one}), 0)::bigint AS {one}" for one in USED)

# What a workflow counts as: itself, or what it was merged into.
COUNTED = """
JOIN (SELECT one.id AS counted_id, coalesce(target.slug, one.slug) AS counted_slug FROM budgets_workflow one
    LEFT JOIN budgets_workflow target ON target.id = one.merged_into_id) AS counted ON counted_id = workflow_id"""
CORE_DAYS = f"""
SELECT day AS at, {{keys}}, {", ".join(USED)} FROM usage_coreday {{joined}}
WHERE {DAYS_ASKED} AND {{asked}}
UNION ALL
SELECT (bucket AT TIME ZONE %(zone)s)::date, {{keys}}, {", ".join(USED)} FROM usage_quarterhour {{joined}}
WHERE {QUARTERS_ASKED} AND {{asked}}"""
# The same by the values of one dimension alone, where no other is asked for: far fewer rows.
VALUE_DAYS = f"""
SELECT day AS at, {{keys}}, {", ".join(USED)} FROM usage_valueday {{joined}}
WHERE dimension = %(alone)s AND {DAYS_ASKED} AND {{asked}}
UNION ALL
SELECT (bucket AT TIME ZONE %(zone)s)::date, {{core_keys}}, {", ".join(USED)} FROM usage_quarterhour {{core_joined}}
WHERE {QUARTERS_ASKED} AND {{core_asked}}"""
# Hours are counted from the window's first instant, so that the one that clocks show twice is two.
HOURS = f"""
SELECT floor(extract(epoch FROM bucket - %(starts)s) / 3600)::int AS at, {{keys}}, {", ".join(USED)}
FROM usage_quarterhour {{joined}} WHERE bucket >= %(starts)s AND bucket < %(stops)s AND {{asked}}"""
WIDE_DAYS = f"""
SELECT day AS at, {{keys}}, {", ".join(USED)} FROM {{table}} {{joined}}
WHERE day >= %(first)s AND day <= %(last)s AND {{asked}}"""
# What does not state the dimension is everything less what does; `stated` is read once.
WITH_UNSTATED = f"""
WITH stated AS MATERIALIZED ({{stated}})
SELECT * FROM stated UNION ALL {{everything}}
UNION ALL SELECT at, {{names}}, {", ".join(f"-{one}" for one in USED)} FROM stated"""
LEDGER = f"""
SELECT at, {{names}}, {", ".join(USED)} FROM (
    SELECT {{at}} AS at, {{keys}}, {SUMS} FROM usage_ledger {{joined}} {{tags}}
    WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND {{asked}} GROUP BY {{places}}
) AS summed"""


def source_of(scope: Scope, group: Sequence[str], grain: Grain) -> str:
    """Which table knows all that is asked: `core`, `hours`, the name of a wide dimension, or else `ledger`."""
    wides = set(scope.wides) | (set(group) & set(WIDE))
    if not wides:
        return "hours" if grain == "hour" else "core"
    if len(wides) > 1 or grain == "hour":
        return "ledger"
    (wide,) = wides
    others = (set(scope.narrowed) | set(group)) - {wide}
    if others - BESIDE_WIDE or "" in scope.values(wide):
        return "ledger"
    # Calls with two of the tags would count twice, and rows of other tags of those calls are not told apart.
    if wide == "tag" and scope.tag and ("tag" in group or len(scope.tag) > 1):
        return "ledger"
    return wide


def _key(dimension: str, source: str) -> str:
    """The SQL of one dimension's value in this source, as text."""
    if dimension == "workflow":
        return "counted_slug"
    if dimension == "tier":
        return "tier::text"
    if dimension in CORE:
        return dimension
    if source != "ledger":
        return "value"
    if dimension == "tag":
        return "coalesce(pair.key || '=' || pair.value, '')"
    return f"coalesce({COLUMNS.get(dimension, dimension)}, '')"


def cells_of(
    scope: Scope,
    group: tuple[str, ...],
    grain: Grain,
    source: str,
    params: dict[str, Any],
    only: Sequence[str] | None = None,
) -> str:
    """A SELECT of `at`, the keys `k0` and `k1`, and the sums; not yet grouped."""
    joined = COUNTED if "workflow" in group else ""
    keys = ", ".join(f"{_key(one, source)} AS k{i}" for i, one in enumerate(group)) or "NULL::text AS k0"
    if source == "ledger":
        return _ledger_cells(scope, group, grain, keys, joined, params)
    if source == "hours":
        return HOURS.format(keys=keys, joined=joined, asked=scope.core_sql(params))
    if source == "core":
        return _core_cells(scope, group, keys, joined, params)
    return _wide_cells(scope, group, grain, source, keys, joined, params, only)


def _core_cells(scope: Scope, group: tuple[str, ...], keys: str, joined: str, params: dict[str, Any]) -> str:
    """Cells of core dimensions: of one alone where no more than that is asked for, or of any for a plain sum."""
    core_asked = scope.core_sql(params)
    alone = {*scope.narrowed, *group}
    if len(alone) > 1 or scope.within is not None:
        return CORE_DAYS.format(keys=keys, joined=joined, asked=core_asked)
    (one,) = alone or {"status"}
    params["alone"] = one
    asked = "TRUE"
    if scope.values(one):
        column = f"scope_{one}"
        asked = f"value = ANY(%({column})s::text[])"
        if one == "workflow":
            asked = f"value::int = ANY({WORKFLOW_IDS})"
        elif one == "tier":
            asked = f"value::int = ANY(%({column})s::int[])"
    return VALUE_DAYS.format(
        keys="NULL::text AS k0" if not group else "counted_slug AS k0" if one == "workflow" else "value AS k0",
        joined=joined.replace("= workflow_id", "= value::int"),
        asked=asked,
        core_keys=keys,
        core_joined=joined,
        core_asked=core_asked,
    )


def _wide_cells(
    scope: Scope,
    group: tuple[str, ...],
    grain: Grain,
    wide: str,
    keys: str,
    joined: str,
    params: dict[str, Any],
    only: Sequence[str] | None,
) -> str:
    """Cells of a wide dimension: of its values alone, where nothing beside them is asked for, which are far fewer."""
    beside = scope.within is not None or {*scope.narrowed, *group} & BESIDE_WIDE
    asked = scope.wide_sql(params, wide)
    few = only is not None and group[:1] == (wide,) and "" not in only and not scope.values(wide)
    if few:  # by the key of the table; all others together are what is left
        asked += " AND value = ANY(%(only)s::text[])"
    if few or scope.values(wide):  # each day and value by the key of the table, not all values of those days
        asked += " AND day = ANY(%(days)s::date[])"
    stated = WIDE_DAYS.format(
        table="usage_wide_day" if beside else "usage_valueday", keys=keys, joined=joined, asked=asked
    )
    if wide not in group or wide == "tag" or scope.values(wide):
        return stated
    names = [f"k{i}" for i in range(len(group))]
    at = "at" if grain != "none" else "NULL::date AS at"
    places = ", ".join(str(1 + i) for i in range(1 + len(names)))
    stated = f"SELECT {at}, {', '.join(names)}, {SUMMED} FROM ({stated}) AS each GROUP BY {places}"
    params["none"] = None if few else ""
    rest = [f"%(none)s::text AS k{i}" if one == wide else f"{_key(one, 'core')} AS k{i}" for i, one in enumerate(group)]
    everything = CORE_DAYS.format(keys=", ".join(rest), joined=joined, asked=scope.core_sql(params))
    if not beside and len(group) == 1:
        everything = _core_cells(scope, (), "NULL::text AS k0", "", params)
    shown = ", ".join("%(none)s::text" if one == wide else f"k{i}" for i, one in enumerate(group))
    return WITH_UNSTATED.format(
        stated=stated,
        everything=f"SELECT {at}, {shown}, {', '.join(USED)} FROM ({everything}) AS all_of_it",
        names=shown,
    )


def _ledger_cells(
    scope: Scope, group: tuple[str, ...], grain: Grain, keys: str, joined: str, params: dict[str, Any]
) -> str:
    """The same from single calls, grouped already."""
    at = {
        "none": "NULL::date",
        "day": "(posted_at AT TIME ZONE %(zone)s)::date",
        "hour": "floor(extract(epoch FROM posted_at - %(starts)s) / 3600)::int",
    }[grain]
    names = [f"k{i}" for i in range(len(group))] or ["k0"]
    return LEDGER.format(
        at=at,
        keys=keys,
        names=", ".join(names),
        places=", ".join(["1", *(str(2 + i) for i in range(len(group)))]) if group else "1, 2",
        joined=joined,
        tags="LEFT JOIN LATERAL jsonb_each_text(tags) AS pair ON TRUE" if "tag" in group else "",
        asked=scope.ledger_sql(params),
    )
