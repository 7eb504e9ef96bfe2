"""Workflows with what they used in a month: filtered, sorted and paged in SQL, from rollups.

What is merged into a workflow counts as its own; the merged one's row shows what was posted under its own name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from budgets.limits.calendar import DAY, day_of, day_starts_at, period_bounds
from budgets.models import Organisation, Workflow
from usage.models import QuarterHour
from usage.rollups.runs import assets_of
from usage.workflows.filters import TABS, Filters

PER_PAGE = 50
TIERS = {1: "Economy", 2: "Standard", 3: "Premium"}

FROM = """
FROM budgets_workflow w
LEFT JOIN budgets_team team ON team.id = w.team_id
LEFT JOIN auth_user person ON person.id = w.owner_id
"""
COUNTS = f"SELECT {', '.join(f'count(*) FILTER (WHERE {sql})' for _, sql in TABS.values())} {FROM} WHERE {{narrowing}}"
# Summed by workflow before names are joined: rows of rollups are many, these few. What has no price is by model too,
# since a price for a call in closed days takes away one in the open ones, where the call is none: no model's go below
# zero. It has an index of its own; all the rest by model would be a hundred times as many sums.
USED = """
WITH used AS MATERIALIZED (
    SELECT workflow_id, sum(cost) AS cost, sum(calls) AS calls, sum(unmeasured) AS unmeasured
    FROM usage_quarterhour WHERE bucket >= %(starts)s AND bucket < %(stops)s GROUP BY workflow_id
), without_price AS MATERIALIZED (
    SELECT workflow_id, model, sum(unpriced) AS unpriced
    FROM usage_quarterhour WHERE bucket >= %(starts)s AND bucket < %(stops)s AND unpriced <> 0
    GROUP BY workflow_id, model
), counts_under AS MATERIALIZED (
    SELECT id AS workflow_id, coalesce(merged_into_id, id) AS id FROM budgets_workflow
    UNION ALL
    SELECT id, id FROM budgets_workflow WHERE merged_into_id IS NOT NULL
), still AS (
    SELECT id, sum(greatest(unpriced, 0))::bigint AS unpriced FROM (
        SELECT id, model, sum(unpriced) AS unpriced FROM without_price JOIN counts_under USING (workflow_id)
        GROUP BY id, model
    ) AS by_model GROUP BY id
), summed AS (
    SELECT id, sum(cost)::bigint AS cost, sum(calls)::bigint AS calls,
        greatest(sum(unmeasured), 0)::bigint AS unmeasured
    FROM used JOIN counts_under USING (workflow_id) GROUP BY id
), counted AS MATERIALIZED (
    SELECT id, cost, calls, coalesce(still.unpriced, 0) AS unpriced, unmeasured
    FROM summed LEFT JOIN still USING (id)
)"""
ROWS = f"""{USED}
SELECT w.id, w.slug, w.name, w.status, w.paused_at IS NOT NULL, team.name, team.slug,
    coalesce(nullif(concat_ws(' ', nullif(person.first_name, ''), nullif(person.last_name, '')), ''), person.username),
    w.default_tier, target.name, target.slug,
    coalesce(counted.cost, 0) AS cost, coalesce(counted.calls, 0) AS calls, coalesce(counted.unpriced, 0),
    coalesce(counted.unmeasured, 0),
    sum(coalesce(counted.cost, 0)) OVER ()::bigint, sum(coalesce(counted.calls, 0)) OVER ()::bigint,
    sum(coalesce(counted.unpriced, 0)) OVER ()::bigint, sum(coalesce(counted.unmeasured, 0)) OVER ()::bigint,
    coalesce((
        SELECT sum(cost) FROM used JOIN budgets_workflow w ON w.id = used.workflow_id WHERE {{within}}
    ), 0)::bigint
{FROM}
LEFT JOIN budgets_workflow target ON target.id = w.merged_into_id
LEFT JOIN counted ON counted.id = w.id
WHERE {{condition}} ORDER BY {{order}} {{part}}
"""


class Use(NamedTuple):
    """Some calls together. Cost in nano-dollars, of priced calls only."""

    cost: int = 0
    calls: int = 0
    unpriced: int = 0
    unmeasured: int = 0


@dataclass(frozen=True, slots=True)
class Month:
    """The month that runs, in the organisation's zone, up to the end of today; all its bounds."""

    first: date
    today: date
    starts: datetime
    stops: datetime

    @classmethod
    def of(cls, organisation: Organisation, now: datetime) -> "Month":
        today = day_of(now, organisation.zone)
        period = period_bounds("month", today, organisation.zone)
        return cls(period.first, today, period.starts_at, day_starts_at(today + DAY, organisation.zone))


@dataclass(frozen=True, slots=True)
class Row:
    """One workflow of the list. Costs in nano-dollars; `share` of all spend in percent, None where there is none."""

    id: int
    slug: str
    name: str
    status: str
    is_paused: bool
    team: str
    team_slug: str
    owner: str
    tier: int | None
    merged_into: str
    merged_into_slug: str
    cost: int
    calls: int
    unpriced: int
    unmeasured: int
    share: int | None
    assets: int = 0
    runs_cost: int = 0

    @property
    def status_words(self) -> str:
        return "Paused" if self.is_paused else str(dict(Workflow.Status.choices)[self.status])

    @property
    def tone(self) -> str:
        return "over" if self.is_paused else {"production": "ok", "discovered": "watch"}.get(self.status, "")

    @property
    def tier_words(self) -> str:
        return "" if self.tier is None else TIERS.get(self.tier, f"Tier {self.tier}")

    @property
    def share_words(self) -> str:
        return "" if self.share is None else "under 1%" if self.cost and not self.share else f"{self.share}%"


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of rows, with the totals of all rows that the filters let through, and all spend of the month in reach."""

    rows: tuple[Row, ...]
    cost: int = 0
    calls: int = 0
    unpriced: int = 0
    unmeasured: int = 0
    all_cost: int = 0


def tab_counts(filters: Filters) -> dict[str, int]:
    """How many workflows each tab holds under the same search and team. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS.format(narrowing=filters.narrowing), filters.values)
        return dict(zip(TABS, cursor.fetchone(), strict=True))


def list_workflows(filters: Filters, month: Month, page: int | None = 1) -> Listed:
    """One page of them, from 1; None: all, without outcomes. Four statements at most, one where `page` is None."""
    part = "" if page is None else f"LIMIT {PER_PAGE} OFFSET {PER_PAGE * (page - 1)}"
    statement = ROWS.format(condition=filters.condition, within=filters.within, order=filters.order, part=part)
    with connection.cursor() as cursor:
        cursor.execute(statement, {**filters.values, "starts": month.starts, "stops": month.stops})
        found = cursor.fetchall()
    outcomes = _outcomes([row[0] for row in found], month) if page is not None and found else {}
    rows = tuple(_row(values, outcomes) for values in found)
    return Listed(rows, *found[0][-5:]) if found else Listed(rows)


def _row(values: Sequence[Any], outcomes: dict[int, tuple[int, int]]) -> Row:
    *told, cost, calls, unpriced, unmeasured, _, _, _, _, all_cost = values
    share = int(cost * 100 // all_cost) if all_cost > 0 else None
    workflow, slug, name, status, is_paused, team, team_slug, owner, tier, merged_into, merged_into_slug = told
    assets, runs_cost = outcomes.get(workflow, (0, 0))
    return Row(
        workflow,
        slug,
        name,
        status,
        is_paused,
        team or "",
        team_slug or "",
        owner or "",
        tier,
        merged_into or "",
        merged_into_slug or "",
        cost,
        calls,
        unpriced,
        unmeasured,
        share,
        assets,
        runs_cost,
    )


def _outcomes(ids: list[int], month: Month) -> dict[int, tuple[int, int]]:
    """Workflow → approved runs of the month and the cost of all its runs; absent where none was approved."""
    names = Workflow.objects.filter(Q(pk__in=ids) | Q(merged_into__in=ids)).values_list("pk", flat=True)
    return assets_of(month.starts, month.stops, list(names))


def outcome_of(workflow: Workflow, month: Month) -> tuple[int, int]:
    """Approved runs of the month, and the cost of all its runs. Three statements at most."""
    return _outcomes([workflow.pk], month).get(workflow.pk, (0, 0))


def ever_used(workflow: Workflow) -> Use:
    """What counts under it, other names included: what merging would move. One statement."""
    ids = Workflow.objects.counted_as(workflow.slug).values("pk")
    return _summed(QuarterHour.objects.filter(workflow_id__in=ids))


def _summed(rows: QuerySet[QuarterHour]) -> Use:
    found = rows.aggregate(**{name: Sum(name) for name in Use._fields})
    return Use(**{name: int(value or 0) for name, value in found.items()})


def unclaimed_total(month: Month) -> Use:
    """Use of the month that no workflow claims: what the Overview says. One statement."""
    return _of_status(month, [Workflow.Status.RESERVED, Workflow.Status.DISCOVERED])


def nameless_total(month: Month) -> Use:
    """Of it, the calls whose sender named no workflow at all. One statement."""
    return _of_status(month, [Workflow.Status.RESERVED])


def _of_status(month: Month, statuses: list[Workflow.Status]) -> Use:
    ids = Workflow.objects.filter(status__in=statuses).values("pk")
    return _summed(QuarterHour.objects.filter(bucket__gte=month.starts, bucket__lt=month.stops, workflow_id__in=ids))
