"""How much of the spend is known, read from rollups: a fixed number of statements, never the ledger."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Q

from budgets.models import UNASSIGNED, Budget
from usage.coverage.sources import SourceRate, source_rates
from usage.coverage.window import Window
from usage.ingest.backlog import Backlog, measure
from usage.rollups.counted import Runs
from usage.rollups.runs import count_runs

NAMED = 3  # models and workflows that a card names
# One pass over the cells of the window; what is merged counts as what it was merged into. A price for a call in closed
# days takes away one in the open ones, where the call is none: no model's go below zero.
CELLS = f"""
WITH summed AS (
    SELECT workflow_id, provider, model, grouping(workflow_id) AS no_workflow, grouping(model) AS no_model,
        sum(calls)::bigint AS calls, sum(unmeasured)::bigint AS unmeasured, sum(unpriced)::bigint AS unpriced,
        coalesce(sum(input_tokens + output_tokens) FILTER (WHERE unpriced > 0), 0)::bigint AS unpriced_tokens,
        sum(cost)::bigint AS cost, sum(calls_in_runs)::bigint AS calls_in_runs,
        sum(cost_in_runs)::bigint AS cost_in_runs
    FROM usage_quarterhour WHERE bucket >= %(starts)s AND bucket < %(stops)s
    GROUP BY GROUPING SETS ((), (workflow_id), (provider, model))
), nobodys AS (
    SELECT workflow.id, workflow.slug, workflow.name FROM budgets_workflow AS workflow
    LEFT JOIN budgets_workflow AS merged ON merged.id = workflow.merged_into_id
    WHERE coalesce(merged.status, workflow.status) IN ('reserved', 'discovered')
), unclaimed AS (
    SELECT slug, name, calls, cost FROM summed JOIN nobodys ON nobodys.id = workflow_id WHERE no_workflow = 0
), unpriced AS (
    SELECT provider, model, calls, unpriced FROM summed WHERE no_model = 0 AND unpriced > 0
)
SELECT calls, greatest(unmeasured, 0), (SELECT coalesce(sum(unpriced), 0)::bigint FROM unpriced), unpriced_tokens,
    cost, calls_in_runs, cost_in_runs,
    (SELECT coalesce(sum(calls), 0)::bigint FROM unclaimed), (SELECT coalesce(sum(cost), 0)::bigint FROM unclaimed),
    (SELECT count(*) FROM unclaimed),
    (SELECT array_agg(name ORDER BY cost DESC, calls DESC, name) FROM (
        SELECT * FROM unclaimed WHERE slug <> '{UNASSIGNED}' ORDER BY cost DESC, calls DESC, name LIMIT {NAMED}
    ) AS largest),
    (SELECT count(*) FROM unpriced),
    (SELECT array_agg(model ORDER BY unpriced DESC, model) FROM (
        SELECT * FROM unpriced ORDER BY unpriced DESC, model LIMIT {NAMED}
    ) AS most)
FROM summed WHERE no_workflow = 1 AND no_model = 1
"""
ARRIVALS = """
SELECT coalesce(sum(events), 0)::bigint, coalesce(sum(late), 0)::bigint, coalesce(sum(elsewhere), 0)::bigint
FROM usage_sourcehour WHERE hour >= %(starts)s AND hour < %(stops)s
"""
QUARANTINE = """
SELECT code, count(*), sum(times)::bigint FROM usage_quarantineditem WHERE status = 'open'
GROUP BY code ORDER BY 2 DESC, code
"""


@dataclass(frozen=True, slots=True)
class Calls:
    """What was used in the window. Money in nano-dollars; `unpriced_tokens` are those of cells with unpriced calls."""

    calls: int = 0
    unmeasured: int = 0
    unpriced: int = 0
    unpriced_tokens: int = 0
    cost: int = 0
    calls_in_runs: int = 0
    cost_in_runs: int = 0
    unclaimed_calls: int = 0
    unclaimed_cost: int = 0
    unclaimed_workflows: int = 0
    unclaimed_names: tuple[str, ...] = ()
    unpriced_models: int = 0
    unpriced_names: tuple[str, ...] = ()

    @property
    def measured(self) -> int:
        return self.calls - self.unmeasured


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What arrived in the window: all, over a day late, counted in another time."""

    events: int
    late: int
    elsewhere: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Open items of the quarantine with one reason, and how often they were sent in all."""

    code: str
    items: int
    times: int


@dataclass(frozen=True, slots=True)
class Health:
    """Everything the page shows."""

    measured_at: datetime
    calls: Calls
    runs: Runs
    arrivals: Arrivals
    refused: tuple[Refused, ...]
    sources: tuple[SourceRate, ...]
    backlog: Backlog
    waiting_budgets: int

    @property
    def is_empty(self) -> bool:
        """Nothing ever arrived."""
        return not (self.calls.calls or self.refused or self.backlog.events or any(one.last_at for one in self.sources))


def health(window: Window, now: datetime) -> Health:
    """All figures of the page. Seven statements whatever there is."""
    values = {"starts": window.starts_at, "stops": window.stops_at}
    with connection.cursor() as cursor:
        cursor.execute(CELLS, values)
        calls = calls_of(cursor.fetchone())
        cursor.execute(ARRIVALS, values)
        arrivals = Arrivals(*cursor.fetchone())
        cursor.execute(QUARANTINE)
        refused = tuple(Refused(*row) for row in cursor.fetchall())
    return Health(
        measured_at=now,
        calls=calls,
        runs=count_runs(window.starts_at, window.stops_at),
        arrivals=arrivals,
        refused=refused,
        sources=source_rates(now),
        backlog=measure(),
        waiting_budgets=waiting_budgets(now),
    )


def calls_of(row: Any) -> Calls:
    """The one row of CELLS."""
    *sums, names, models, most = row
    counts: Any = [int(one or 0) for one in sums]
    found = Calls(*counts)
    return replace(found, unclaimed_names=tuple(names or ()), unpriced_models=models, unpriced_names=tuple(most or ()))


def waiting_budgets(now: datetime) -> int:
    """Budgets whose past has not been read from the ledger for a minute or more. One statement."""
    behind = Q(opened_from=None) | Q(opened_generation__lt=F("generation"))
    since = Q(updated_at__lt=now - timedelta(minutes=1))
    return Budget.objects.exclude(status=Budget.Status.ARCHIVED).filter(behind & since).count()
