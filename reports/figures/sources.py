"""Where a scope's sums come from: rollups, where they hold what is asked; else the ledger, up to a number of calls.

Each source is a query that a statement puts into WITH; both have the same columns, made by the same SQL.
"""

from dataclasses import dataclass
from typing import Any

from reports.asking.scope import BESIDE_WIDE, NAMES, Scope
from reports.asking.window import Window
from reports.spend.sums import READ_MOST, readable
from usage.rollups.days import DAYS_ASKED, QUARTERS_ASKED
from usage.rollups.sums import QUARTER_HOURS, ROW_COLUMNS, SUM_COLUMNS, TOKEN_DAYS, TOKEN_SUMS, WIDE_DAYS

TOKENS_KNOW = frozenset({"team", "workflow", "provider", "model", "tier"})
COLUMNS = ("workflow_id", "team", "provider", "model", "tier", *SUM_COLUMNS)
CORE_DAYS = f"""
SELECT {", ".join(COLUMNS)} FROM usage_coreday
WHERE {DAYS_ASKED} AND {{scope}}
UNION ALL
SELECT {", ".join(COLUMNS)} FROM usage_quarterhour
WHERE {QUARTERS_ASKED} AND {{scope}}"""
TOKENS = f"""
SELECT workflow_id, cache, {", ".join(TOKEN_SUMS)} FROM usage_tokenday
WHERE day >= %(first)s AND day <= %(last)s AND {{scope}}"""
WIDE = """
SELECT dimension, value, workflow_id, cost, calls, unpriced, unmeasured FROM usage_wide_day
WHERE dimension = ANY(%(dimensions)s::text[]) AND day >= %(first)s AND day <= %(last)s AND {scope}"""
ROWS = f"""rows AS MATERIALIZED (
    SELECT {ROW_COLUMNS} FROM usage_ledger WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND {{scope}}
)"""

OF_THESE = "wide AS (SELECT * FROM days WHERE dimension = ANY(%(dimensions)s::text[]))"


@dataclass(frozen=True, slots=True)
class Sources:
    """WITH clauses (`used`, `made`, `wide`) and the values for them; None where too many calls would have to be read.

    `from_ledger` names those that are read call by call; `why` says why something is not read.
    """

    used: str | None
    made: str | None
    wide: str | None
    values: dict[str, Any]
    from_ledger: frozenset[str]
    why: str = ""


def sources_of(scope: Scope, window: Window) -> Sources:
    """What each is read from. A statement, where rollups do not hold all."""
    values: dict[str, Any] = {
        "first": window.first,
        "last": window.last,
        "starts": window.starts_at,
        "stops": window.stops_at,
        "zone": window.zone.key,
        "dimensions": ["user", "customer", "application"],
    }
    asked = set(scope.narrowed)
    ledger = {
        name
        for name, holds in (
            ("used", scope.only_core),
            ("made", asked <= TOKENS_KNOW),
            ("wide", asked <= BESIDE_WIDE),
        )
        if not holds
    }
    clauses = {"used": f"used AS ({CORE_DAYS})", "made": f"made AS ({TOKENS})", "wide": f"wide AS ({WIDE})"}
    known = scope.core_sql(values)
    found: dict[str, str | None] = {name: text.format(scope=known) for name, text in clauses.items()}
    why = ""
    if ledger:
        why = _why_not(scope, window)
        rows = ROWS.format(scope=scope.ledger_sql(values))
        one_by_one = {
            "used": f"{rows}, used AS ({QUARTER_HOURS})",
            "made": f"{rows}, made AS ({TOKEN_DAYS})",
            "wide": f"{rows}, days AS ({WIDE_DAYS}), {OF_THESE}",
        }
        for name in ledger:
            found[name] = None if why else one_by_one[name]
    return Sources(found["used"], found["made"], found["wide"], values, frozenset(ledger), why)


def _why_not(scope: Scope, window: Window) -> str:
    """Why the ledger is not read for it; "" where it is. One statement."""
    if readable(window) == window:
        return ""
    beyond = " and ".join(NAMES[one].lower() for one in scope.narrowed)
    return (
        f"with these filters ({beyond}) it is known call by call only, and these days have more than {READ_MOST:,} "
        f"calls, or calls that are not kept any more; choose fewer days"
    )
