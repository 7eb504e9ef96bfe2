"""Read usage of a stretch of time from rollups, as cells: for more calls than the ledger is read for.

Rollups sum whole days, or quarter hours, of all core dimensions, or of one wide one with workflow and model. They do
not know kinds of step and operation, channels, prompt versions, layers of the input, what a cache answered, and which
calls were corrected or taken back: `UNTOLD` says so. What they sum of retries and of calls in runs is taken to be like
the other calls beside them. Prices are the price book's of the middle of the time; what was charged beside them, also
because a price changed within the time, is a part of its own. A model without a price there is not told apart.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection

from budgets.organisation.configuration import current_generation
from reports.asking.scope import BESIDE_WIDE, Scope
from reports.why.cells import UNKNOWN_RATES, Cell, Number, Quad, Rates, Runs, Usage
from reports.why.ledger import ALIASES, CALLS, EACH_ONE, MONEY, NOTHING, TOKENS, nano_rates
from usage.prices.book import PriceBook, current

UNTOLD: Final = (
    "There are too many calls to read each of them, so daily sums were compared. They do not tell apart: channels, "
    "kinds of step, prompt versions, what the input was made of, answers from a cache, corrections of earlier calls."
)
SUMS: Final = (
    "calls", "unmeasured", "unpriced", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens",
    "retries", "cost", "calls_in_runs",
)  # fmt: skip
TABLES: Final = {
    "days": ("usage_coreday", "day >= %(first)s AND day < %(after)s"),
    "quarters": ("usage_quarterhour", "bucket >= %(starts)s AND bucket < %(stops)s"),
    "wide": ("usage_wide_day", "day >= %(first)s AND day < %(after)s"),
}
COUNTS = "run.calls > 0 AND run.counts_at >= %(starts)s AND run.counts_at < %(stops)s"
COUNT_ALONE = f"""
SELECT run.workflow_id, count(*) FROM usage_run AS run
WHERE {COUNTS} AND run.workflow_id <> ALL(%(shared)s::int[]) AND {{asked}} GROUP BY 1"""
COUNT_SHARED = f"""
SELECT coalesce(flow.merged_into_id, flow.id), count(DISTINCT run.run_id)
FROM usage_run AS run JOIN budgets_workflow AS flow ON flow.id = run.workflow_id
WHERE {COUNTS} AND run.workflow_id = ANY(%(shared)s::int[]) AND {{asked}} GROUP BY 1"""
CORE_KEYS = "workflow_id, provider, model, stage, task_type, status <> 'ok', service_tier"
WIDE_KEYS = "workflow_id, provider, model, '', '', FALSE, 'standard'"


def table_for(scope: Scope, starts: datetime, stops: datetime, zone: ZoneInfo) -> str | None:
    """Which of TABLES holds what is asked for; None where none does."""
    whole = all(not any((at.hour, at.minute, at.second)) for at in (starts.astimezone(zone), stops.astimezone(zone)))
    if scope.only_core:
        return "days" if whole else "quarters"
    beside = set(scope.narrowed) - set(scope.wides)
    single = len(scope.wides) == 1 and (scope.wides[0] != "tag" or len(scope.tag) == 1)
    stated = single and "" not in scope.values(scope.wides[0])
    return "wide" if whole and stated and beside <= BESIDE_WIDE else None


def read_rollup(
    scope: Scope, starts: datetime, stops: datetime, zone: ZoneInfo, table: str, measure: str = MONEY
) -> Usage:
    """Usage posted from `starts` until before `stops`, from this one of TABLES. Four statements."""
    params: dict[str, Any] = {"starts": starts, "stops": stops}
    params |= {"first": starts.astimezone(zone).date(), "after": stops.astimezone(zone).date()}
    name, when = TABLES[table]
    wide = table == "wide"
    asked = scope.wide_sql(params, scope.wides[0]) if wide else scope.core_sql(params)
    sums = ", ".join(f"coalesce(sum({one}), 0)::bigint" for one in SUMS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {WIDE_KEYS if wide else CORE_KEYS}, {sums} FROM {name} WHERE {when} AND {asked} "
            "GROUP BY 1, 2, 3, 4, 5, 6, 7",
            params,
        )
        rows = cursor.fetchall()
        cursor.execute(ALIASES)
        aliases = dict(cursor.fetchall())
    runs = _runs(scope, starts, stops, aliases)
    prices, middle = current(current_generation()), starts + (stops - starts) / 2
    cells: list[Cell] = []
    untold: dict[str, int] = defaultdict(int)
    for row in rows:
        made, rest = _cells(row, aliases, runs, prices, middle, measure)
        cells += made
        untold[row[2]] += rest
    models = frozenset(model for model, rest in untold.items() if rest)
    return Usage(tuple(cells), runs, {"untold": sum(untold.values())} if models else {}, models)


def _runs(scope: Scope, starts: datetime, stops: datetime, aliases: dict[int, int]) -> dict[int, Runs]:
    """Runs that count in the time, where nothing but workflows narrows what is asked; else none are known.

    At most one statement. Only where names were merged may one run have two rows.
    """
    if set(scope.narrowed) - {"workflow"}:
        return {}
    params: dict[str, Any] = {"starts": starts, "stops": stops, "shared": [*aliases, *aliases.values()]}
    asked = scope.run_sql(params, "run")
    with connection.cursor() as cursor:
        cursor.execute(f"{COUNT_ALONE.format(asked=asked)} UNION ALL {COUNT_SHARED.format(asked=asked)}", params)
        return {workflow: Runs(count, count) for workflow, count in cursor.fetchall()}


def _cells(
    row: Sequence[Any], aliases: dict[int, int], runs: dict[int, Runs], prices: PriceBook, at: datetime, measure: str
) -> tuple[list[Cell], int]:
    """One row as calls in and outside runs, first ones and retries; and what of its cost cannot be told apart."""
    number, provider, model, stage, task_type, failed, service_tier = row[:7]
    calls, unmeasured, unpriced, whole, cached, written, output, retries, cost, in_runs = row[7:]
    workflow = aliases.get(number, number)
    known = calls - unmeasured - (unpriced if measure == MONEY else 0) if measure != CALLS else calls
    cost = {MONEY: cost, TOKENS: whole + output, CALLS: calls}[measure]
    if calls <= 0 or known <= 0:
        return [], cost
    tokens: Quad = (whole - cached - written, cached, written, output)
    costs, rates, extras = NOTHING, UNKNOWN_RATES, 0
    if measure == CALLS:
        tokens, extras = NOTHING, calls
    elif measure == TOKENS:
        costs, rates = tokens, EACH_ONE
    else:
        price = prices.find(provider, model, service_tier, at)
        rates = nano_rates(price.rates) if price else UNKNOWN_RATES
        shared = _shared(cost, tokens, rates)
        if shared is None:
            return [], cost
        costs = shared
    made = []
    of_runs = Fraction(min(max(in_runs, 0), calls), calls) if workflow in runs else Fraction(0)
    again = Fraction(min(max(retries, 0), calls), calls)
    for in_run, part in ((True, of_runs), (False, 1 - of_runs)):
        for retry, share in ((False, 1 - again), (True, again)):
            size = part * share
            if size:
                made.append(
                    Cell(
                        workflow=workflow,
                        model=(provider, model),
                        in_run=in_run,
                        work=(stage, task_type),
                        retry=retry,
                        failed=failed,
                        service_tier=service_tier,
                        calls=calls * size,
                        known=known * size,
                        tokens=_times(tokens, size),
                        costs=_times(costs, size),
                        extras=extras * size,
                        rates=rates,
                    )
                )
    return made, 0


def _times(many: Quad, size: Fraction) -> Quad:
    if size == 1:
        return many
    a, b, c, d = many
    return a * size, b * size, c * size, d * size


def _shared(cost: int, tokens: Quad, rates: Rates) -> Quad | None:
    """The cost by kinds of tokens, as their prices have it; None where a price is missing or comes to nothing."""
    listed: list[Number] = []
    for count, rate in zip(tokens, rates, strict=True):
        if count and rate is None:
            return None
        listed.append(count * (rate or 0))
    total = sum(listed)
    if not total:
        return NOTHING if not cost else None
    a, b, c, d = (Fraction(cost * one, total) for one in listed)
    return a, b, c, d
