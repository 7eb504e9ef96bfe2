"""Prove that all that is derived equals the ledger: rollups, runs, sources, claims, budgets, grants, leases."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from budgets.limits.opening import Opening
from budgets.models import Budget
from usage.ledger.check_drawn import wrongly_drawn
from usage.ledger.check_runs import wrong_runs
from usage.ledger.opening import read_ledger
from usage.rollups.counted import COUNTED
from usage.rollups.days import OF_DAYS
from usage.rollups.rebuild import DETACHED_HOURS, HORIZON, OLD_RUNS, WHOLE_DAYS, WHOLE_HOURS
from usage.rollups.run_days import RUN_DAY_KEY, RUN_DAYS
from usage.rollups.sums import BATCHES as RECEIVED
from usage.rollups.sums import (
    CALLS,
    CORE_DAY_KEY,
    CORE_DAYS,
    ITS_HOUR,
    QUARTER_HOURS,
    QUARTER_KEY,
    ROW_COLUMNS,
    RUN_SUMS,
    RUNS,
    SOURCE_HOURS,
    SOURCE_KEY,
    SOURCE_SUMS,
    SUM_COLUMNS,
    TOKEN_DAYS,
    TOKEN_KEY,
    TOKEN_SUMS,
    VALUE_DAYS,
    VALUE_KEY,
    WIDE_DAYS,
    WIDE_KEY,
    ZONE_OF_DAYS,
)

SHOWN = 5  # examples of each kind of difference

FOLDED = f"""
SELECT {ROW_COLUMNS} FROM usage_ledger
WHERE batch_id NOT IN (SELECT id FROM usage_ingestbatch WHERE folded_at IS NULL)"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a derived table is not what the ledger says."""

    table: str
    where: str
    problem: str


def compare(key: tuple[str, ...], sums: tuple[str, ...], expected: str, found: str, rows: str) -> str:
    """SQL for the cells in which `found` less `expected` is not zero; a cell missing on one side counts as zero."""
    columns = ", ".join(sums)
    return f"""
    WITH rows AS ({rows}), batches AS ({RECEIVED})
    SELECT {", ".join(key)}, {", ".join(f"sum({c})" for c in sums)} FROM (
        SELECT {", ".join(key)}, {columns} FROM ({found}) AS found
        UNION ALL
        SELECT {", ".join(key)}, {", ".join("-" + c for c in sums)} FROM ({expected}) AS expected
    ) AS both_sides
    GROUP BY {", ".join(key)} HAVING {" OR ".join(f"sum({c}) <> 0" for c in sums)}
    LIMIT {SHOWN}"""


RUN_KEY = ("workflow_id", "run_id")
# By whole hours, as older ones were summed; sums compare numbers only.
BY_HOUR = f"""
SELECT source_id, {ITS_HOUR} AS hour, {", ".join(f"sum({one})::bigint AS {one}" for one in SOURCE_SUMS)},
    max((extract(epoch FROM last_at) * 1000000)::bigint) AS last_microsecond
FROM {{rows}} AS arrived GROUP BY 1, 2"""
SOURCE_CHECKED = (*SOURCE_SUMS, "last_microsecond")
COMPARISONS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        "usage_quarterhour",
        QUARTER_KEY,
        SUM_COLUMNS,
        compare(
            QUARTER_KEY,
            SUM_COLUMNS,
            QUARTER_HOURS,
            "SELECT * FROM usage_quarterhour WHERE bucket >= %(horizon)s",
            FOLDED,
        ),
    ),
    (
        "usage_coreday",
        CORE_DAY_KEY,
        SUM_COLUMNS,
        compare(
            CORE_DAY_KEY,
            SUM_COLUMNS,
            f"WITH quarter_hours AS (SELECT * FROM usage_quarterhour) {CORE_DAYS}",  # which were compared above
            "SELECT * FROM usage_coreday",
            FOLDED,
        ),
    ),
    (
        "usage_tokenday",
        TOKEN_KEY,
        TOKEN_SUMS,
        compare(
            TOKEN_KEY,
            TOKEN_SUMS,
            TOKEN_DAYS,
            "SELECT * FROM usage_tokenday WHERE day > (%(horizon)s::timestamptz AT TIME ZONE %(zone)s)::date",
            f"{FOLDED} AND {WHOLE_DAYS}",
        ),
    ),
    (
        "usage_wide_day",
        WIDE_KEY,
        SUM_COLUMNS,
        compare(
            WIDE_KEY,
            SUM_COLUMNS,
            WIDE_DAYS,
            "SELECT * FROM usage_wide_day WHERE day > (%(horizon)s::timestamptz AT TIME ZONE %(zone)s)::date",
            f"{FOLDED} AND {WHOLE_DAYS}",
        ),
    ),
    (
        "usage_valueday",
        VALUE_KEY,
        SUM_COLUMNS,
        compare(
            VALUE_KEY,
            SUM_COLUMNS,
            f"{OF_DAYS} {VALUE_DAYS}",
            "SELECT * FROM usage_valueday",
            FOLDED,
        ),
    ),
    (
        "usage_run",
        RUN_KEY,
        RUN_SUMS,
        compare(
            RUN_KEY,
            RUN_SUMS,
            RUNS,
            "SELECT * FROM usage_run WHERE first_call >= %(horizon)s",
            f"{FOLDED} AND (workflow_id, run_id) NOT IN ({OLD_RUNS})",
        ),
    ),
    (
        "usage_runday",
        RUN_DAY_KEY,
        COUNTED,
        compare(RUN_DAY_KEY, COUNTED, RUN_DAYS, "SELECT * FROM usage_runday", FOLDED),  # of runs as they were compared
    ),
    (
        "usage_sourcehour",
        SOURCE_KEY,
        SOURCE_CHECKED,
        compare(
            SOURCE_KEY,
            SOURCE_CHECKED,
            BY_HOUR.format(rows=f"({SOURCE_HOURS})"),
            f"SELECT * FROM ({BY_HOUR.format(rows='usage_sourcehour')}) AS there WHERE hour NOT IN ({DETACHED_HOURS})",
            f"{FOLDED} AND {WHOLE_HOURS}",
        ),
    ),
)
BATCHES = """
SELECT batch.id, batch.events, count(usage_ledger.id) FROM usage_ingestbatch AS batch
LEFT JOIN usage_ledger ON usage_ledger.batch_id = batch.id
GROUP BY batch.id HAVING count(usage_ledger.id) > batch.events
    OR (count(usage_ledger.id) < batch.events AND NOT EXISTS (SELECT 1 FROM usage_detached_month)) LIMIT 5"""
UNCLAIMED = f"""
SELECT source_id, calls, claims FROM
    (SELECT source_id, sum({CALLS}) AS calls FROM usage_ledger GROUP BY source_id) AS ledger
    FULL JOIN (SELECT source_id, count(*) AS claims FROM usage_claim GROUP BY source_id) AS claimed USING (source_id)
WHERE coalesce(calls, 0) > coalesce(claims, 0)
    OR (NOT EXISTS (SELECT 1 FROM usage_detached_month) AND coalesce(calls, 0) <> coalesce(claims, 0)) LIMIT 5"""
# What was withdrawn may have come again. A withdrawal may outlast its call, whose month is then detached.
REPEATED = f"""
SELECT source_id, event_id, sum({CALLS}) FROM usage_ledger WHERE kind <> 1
GROUP BY source_id, event_id HAVING sum({CALLS}) > 1
    OR (sum({CALLS}) < 0 AND NOT EXISTS (SELECT 1 FROM usage_detached_month)) LIMIT 5"""


@contextmanager
def one_snapshot() -> Iterator[dict[str, Any]]:
    """A read-only repeatable-read transaction: all comparisons see the same moment, and writers go on."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(HORIZON)
        (horizon,) = cursor.fetchone()
        cursor.execute(ZONE_OF_DAYS)
        yield {"horizon": horizon, "zone": cursor.fetchone()[0]}


def differences(values: dict[str, Any]) -> list[Difference]:
    """Every kind of difference, a few examples each; empty when all is proven. Inside `one_snapshot`."""
    found: list[Difference] = []
    with connection.cursor() as cursor:
        for table, key, sums, statement in COMPARISONS:
            cursor.execute(statement, values)
            for row in cursor.fetchall():
                where = ", ".join(f"{name}={value}" for name, value in zip(key, row, strict=False))
                off = zip(sums, row[len(key) :], strict=True)
                problem = ", ".join(f"{name} is off by {value:+}" for name, value in off if value)
                found.append(Difference(table, where, problem))
        cursor.execute(BATCHES)
        for batch, said, rows in cursor.fetchall():
            found.append(Difference("usage_ingestbatch", f"id={batch}", f"says {said} events, the ledger has {rows}"))
        cursor.execute(UNCLAIMED)
        for source, calls, claims in cursor.fetchall():
            found.append(Difference("usage_claim", f"source={source}", f"{claims} claims for {calls} calls"))
        cursor.execute(REPEATED)
        for source, event, times in cursor.fetchall():
            found.append(Difference("usage_ledger", f"source={source}, id={event}", f"is there {times} times"))
    return found


SERIES = """
SELECT budget_id, bucket, sum(both_kinds.amount)::bigint, sum(both_kinds.calls)::bigint FROM (
    SELECT budget_id, bucket, amount, calls FROM budgets_budgetseries
    UNION ALL
    SELECT budget_id, bucket, amount, calls FROM budgets_budgetcharge
) AS both_kinds
JOIN budgets_budget AS budget ON budget.id = budget_id AND bucket >= budget.opened_from
WHERE budget_id = ANY(%s) GROUP BY budget_id, bucket"""
STATES = """
SELECT state.budget_id, state.period_start, state.spent, coalesce(sum(series.amount), 0)
FROM budgets_budgetstate AS state
JOIN budgets_budget AS budget ON budget.id = state.budget_id AND state.starts_at >= budget.opened_from
LEFT JOIN budgets_budgetseries AS series ON series.budget_id = state.budget_id
    AND series.bucket >= state.starts_at AND series.bucket < state.ends_at
WHERE state.budget_id = ANY(%s)
GROUP BY state.id HAVING state.spent <> coalesce(sum(series.amount), 0) LIMIT 5"""


def budget_differences() -> list[Difference]:
    """Where a budget's series with the charges waiting, or a state, is not what its scope spent in the ledger.

    Only open budgets can be compared: one that waits for its opening has read nothing yet.
    """
    opened = [
        Opening(budget.pk, budget.metric, budget.scope, budget.opened_from, None)
        for budget in Budget.objects.exclude(status=Budget.Status.ARCHIVED)
        if budget.opened_from is not None and budget.opened_generation >= budget.generation
    ]
    ids = [opening.budget_id for opening in opened]
    expected = {(spent.budget_id, spent.bucket): (spent.amount, spent.calls) for spent in read_ledger(opened)}
    with connection.cursor() as cursor:
        cursor.execute(SERIES, [ids])
        found = {(budget, bucket): (amount, calls) for budget, bucket, amount, calls in cursor.fetchall()}
        cursor.execute(STATES, [ids])
        wrong_states = cursor.fetchall()
    wrong = [
        Difference("budgets_budgetseries", f"budget={cell[0]}, bucket={cell[1]}", f"is {is_}, the ledger says {ought}")
        for cell in sorted(expected.keys() | found.keys())
        if (is_ := found.get(cell, (0, 0))) != (ought := expected.get(cell, (0, 0)))
    ]
    return wrong[:SHOWN] + [
        Difference(
            "budgets_budgetstate", f"budget={budget}, from {start}", f"spent is {spent}, its series sums to {series}"
        )
        for budget, start, spent, series in wrong_states
    ]


def check_ledger() -> list[Difference]:
    """Everything, from one snapshot."""
    with one_snapshot() as values:
        drawn = [
            Difference(one.table, f"key={one.key}", f"was charged {one.charged}, the ledger says {one.ought}")
            for one in wrongly_drawn(values, SHOWN)
        ]
        runs = [
            Difference("usage_run", f"workflow_id={one.workflow_id}, run_id={one.run_id}", one.problem)
            for one in wrong_runs(values, SHOWN)
        ]
        return differences(values) + budget_differences() + drawn + runs
