"""Read usage of a stretch of time from the ledger, as cells. Three statements, and one for the prices.

A call is read with the corrections that count in the same stretch, at the price they gave it. Corrections of calls
from before it, and calls that were taken back, stand apart: they are no calls of this time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from django.db import connection

from reports.asking.scope import Scope
from reports.why.cells import LAYERS, UNKNOWN_RATES, Cell, Quad, Rates, Runs, Usage
from usage.models import PriceEntry
from usage.prices import price as book
from usage.prices.price import FIELDS, RATE_PER_NANO, price_from

MONEY, TOKENS, CALLS = "money", "tokens", "calls"
PARTS: Final = ("cost_input", "cost_cached", "cost_cache_write", "cost_output")
# Whether what a call used is known, in what is measured.
KNOWN: Final = {MONEY: "(l.cost IS NOT NULL OR later.corrects IS NOT NULL)", TOKENS: "l.measured", CALLS: "TRUE"}
TAKEN: Final = "taken"
INPUT, CACHED, WRITTEN = "l.input_tokens", "coalesce(l.cached_input_tokens, 0)", "coalesce(l.cache_write_tokens, 0)"
SINCE = "l.posted_at >= %(starts)s AND l.posted_at < %(stops)s"
CELLS = """
WITH later AS MATERIALIZED (
    SELECT l.corrects, max(l.price_id) AS price_id, sum(l.unpriced) AS unpriced, sum(l.cost)::bigint AS cost,
        {sums_of_parts}, sum(l.cost_units)::bigint AS cost_units
    FROM usage_ledger l WHERE l.corrects IS NOT NULL AND l.kind = 1 AND {since} AND {scope} GROUP BY l.corrects
), taken AS MATERIALIZED (
    SELECT l.corrects FROM usage_ledger l WHERE l.corrects IS NOT NULL AND l.kind = 2 AND {since} AND {scope}
)
SELECT l.workflow_id, l.provider, l.model, coalesce(l.run_id, '') <> '' AS in_run,
    l.stage, coalesce(l.step_kind, '') AS step_kind, l.task_type, l.operation, coalesce(l.attempt > 1, FALSE) AS retry,
    l.status <> 'ok' AS failed, l.cache IN ('semantic', 'response') AS served, l.service_tier,
    coalesce(l.prompt_version, '') AS prompt_version, coalesce(later.price_id, l.price_id) AS price_id,
    taken.corrects IS NOT NULL AS was_taken, count(*), count(*) FILTER (WHERE {known}),
    coalesce(sum({input} - {cached} - {written}) FILTER (WHERE {known}), 0)::bigint,
    coalesce(sum({cached}) FILTER (WHERE {known}), 0)::bigint,
    coalesce(sum({written}) FILTER (WHERE {known}), 0)::bigint,
    coalesce(sum(l.output_tokens) FILTER (WHERE {known}), 0)::bigint,
    {parts}, coalesce(sum(l.cost_units), 0)::bigint + coalesce(sum(later.cost_units), 0)::bigint,
    coalesce(sum(later.cost) FILTER (WHERE later.unpriced < 0), 0)::bigint,
    coalesce(sum(later.cost) FILTER (WHERE later.unpriced >= 0), 0)::bigint,
    count(*) FILTER (WHERE l.context IS NOT NULL AND {known}), {layers}
FROM usage_ledger l LEFT JOIN later ON later.corrects = l.id LEFT JOIN taken ON taken.corrects = l.id
WHERE l.kind = 0 AND {since} AND {scope}
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
"""

RUNS = """
WITH taken AS MATERIALIZED (
    SELECT l.corrects FROM usage_ledger l WHERE l.corrects IS NOT NULL AND l.kind = 2 AND {since} AND {scope}
), part AS (
    SELECT DISTINCT coalesce(flow.merged_into_id, l.workflow_id) AS workflow, l.run_id, nullif(l.channel, '') AS channel
    FROM usage_ledger l LEFT JOIN budgets_workflow flow ON flow.id = l.workflow_id
    WHERE l.kind = 0 AND l.run_id <> '' AND {since} AND {scope} AND l.id NOT IN (SELECT corrects FROM taken)
)
SELECT workflow, count(*), sum(greatest(1, channels))::bigint
FROM (SELECT workflow, run_id, count(channel) AS channels FROM part GROUP BY 1, 2) AS run GROUP BY 1
"""
# What corrections and withdrawals of this time come to, whatever time their calls are of.
APART = """
SELECT l.kind, l.unpriced < 0, coalesce(sum(l.cost), 0)::bigint,
    coalesce(sum(coalesce(l.input_tokens, 0) + coalesce(l.output_tokens, 0)), 0)::bigint, count(*)
FROM usage_ledger l WHERE l.corrects IS NOT NULL AND l.kind > 0 AND {since} AND {scope} GROUP BY 1, 2
"""
ALIASES = "SELECT id, merged_into_id FROM budgets_workflow WHERE merged_into_id IS NOT NULL"
CORRECTION, WITHDRAWAL = 1, 2


def read_ledger(scope: Scope, starts: datetime, stops: datetime, measure: str = MONEY) -> Usage:
    """Usage posted from `starts` until before `stops`; `measure` says what is counted as cost: money, tokens, calls."""
    params: dict[str, Any] = {"starts": starts, "stops": stops}
    words = {"since": SINCE, "scope": scope.ledger_sql(params, "l")}
    statement = CELLS.format(
        known=KNOWN[measure],
        input=f"coalesce({INPUT}, 0)",
        cached=CACHED,
        written=WRITTEN,
        sums_of_parts=", ".join(f"sum(l.{part})::bigint AS {part}" for part in PARTS),
        parts=", ".join(f"(coalesce(sum(l.{p}), 0) + coalesce(sum(later.{p}), 0))::bigint" for p in PARTS),
        layers=", ".join(
            f"coalesce(sum((l.context ->> '{one}')::bigint) FILTER (WHERE {KNOWN[measure]}), 0)::bigint"
            for one in LAYERS
        ),
        **words,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows = [Row(found) for found in cursor.fetchall()]
        cursor.execute(RUNS.format(**words), params)
        runs = {workflow: Runs(count, channels) for workflow, count, channels in cursor.fetchall()}
        cursor.execute(APART.format(**words), params)
        apart = cursor.fetchall()
        cursor.execute(ALIASES)
        aliases = dict(cursor.fetchall())
    rates = rates_of({row.price for row in rows if row.price}) if measure == MONEY else {}
    cells = [row.cell(aliases, rates, measure) for row in rows if not row.was_taken]
    return Usage(tuple(cells), runs, {k: v for k, v in _apart(rows, apart, measure).items() if v})


class Row:
    """One row of CELLS."""

    def __init__(self, found: Sequence[Any]) -> None:
        (self.workflow, self.provider, self.model, self.in_run, *self.work) = found[:8]
        self.retry, self.failed, self.served, self.service_tier, self.version, self.price, self.was_taken = found[8:15]
        self.calls, self.known = found[15:17]
        self.tokens = (found[17], found[18], found[19], found[20])
        self.costs = (found[21], found[22], found[23], found[24])
        self.extras, self.priced_later, self.corrected, self.laid = found[25:29]
        self.layers = tuple(found[29:])

    @property
    def cost(self) -> int:
        return int(sum(self.costs) + self.extras)

    def cell(self, aliases: dict[int, int], rates: dict[int, Rates], measure: str) -> Cell:
        tokens: Quad = self.tokens
        costs: Quad = self.costs
        extras = self.extras
        price = rates.get(self.price or 0, UNKNOWN_RATES)
        if measure == TOKENS:
            costs, extras, price = tokens, 0, EACH_ONE
        elif measure == CALLS:
            tokens, costs, extras, price = NOTHING, NOTHING, self.calls, UNKNOWN_RATES
        return Cell(
            workflow=aliases.get(self.workflow, self.workflow),
            model=(self.provider, self.model),
            in_run=self.in_run,
            work=tuple(self.work),
            retry=self.retry,
            failed=self.failed,
            served=self.served,
            service_tier=self.service_tier,
            prompt_version=self.version,
            calls=self.calls,
            known=self.known,
            tokens=tokens,
            costs=costs,
            extras=extras,
            rates=price,
            laid=self.laid if measure != CALLS else 0,
            layers=self.layers,
        )


NOTHING: Final[Quad] = (0, 0, 0, 0)
EACH_ONE: Final[Rates] = (Fraction(1), Fraction(1), Fraction(1), Fraction(1))


def _apart(rows: Iterable[Row], sums: Iterable[Sequence[Any]], measure: str) -> dict[str, int]:
    """What belongs to no call of this time: corrections of earlier calls, and what was taken back of them.

    Corrections that were read with their calls are not among them; a call and its withdrawal in the same time are
    nothing together.
    """
    found: dict[str, int] = defaultdict(int)
    for kind, priced_later, cost, tokens, count in sums:
        if kind == WITHDRAWAL:
            found["withdrawn"] += {MONEY: cost, TOKENS: tokens, CALLS: -count}[measure]
        elif measure == MONEY:
            found["later" if priced_later else "corrections"] += cost
    for row in rows:
        if measure == MONEY:
            found["later"] -= row.priced_later
            found["corrections"] -= row.corrected
        if row.was_taken:
            found["withdrawn"] += {MONEY: row.cost, TOKENS: sum(row.tokens), CALLS: row.calls}[measure]
    return found


def rates_of(entries: Iterable[int]) -> dict[int, Rates]:
    """The prices of these price entries, before long inputs and hours, in nano-dollars a token. One statement."""
    found: dict[int, Rates] = {}
    rows = PriceEntry.objects.filter(pk__in=list(entries)).values("id", *FIELDS)
    for row in rows:
        found[row["id"]] = nano_rates(price_from(row["id"], "", "", "", row).rates)
    return found


def nano_rates(rates: book.Rates) -> Rates:
    """The same in nano-dollars a token."""
    return _nano(rates.input), _nano(rates.cached), _nano(rates.cache_write), _nano(rates.output)


def _nano(rate: int | None) -> Fraction | None:
    return None if rate is None else Fraction(rate, RATE_PER_NANO)
