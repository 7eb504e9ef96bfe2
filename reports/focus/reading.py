"""Read what a FOCUS file is made of: one month's ledger, summed by the database, and the other costs beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import connection

from budgets.limits.calendar import DAY, day_starts_at
from budgets.models import Organisation
from budgets.organisation.closing import books_of
from budgets.plan.year import month_after
from reports.chargeback.owners import Owners
from reports.focus.charges import Beside, Period, Row, Used, row_beside, rows_of
from usage.costs.figures import during
from usage.costs.spread import within
from usage.ledger.retention import kept_since

# What counts for a month before is a correction of it. Money without a price is unknown: such calls are left out. The
# tokens of one that got its price later, by a correction that counts in the same month, stand beside that money.
USED = """
WITH priced AS (
    SELECT DISTINCT corrects FROM usage_ledger
    WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND kind = 1 AND unpriced < 0
)
SELECT CASE WHEN posted_at = time THEN (posted_at AT TIME ZONE %(zone)s)::date ELSE (time AT TIME ZONE %(zone)s)::date
    END AS day, posted_at <> time AND time < %(starts)s AS corrects,
    coalesce(alias.counts_as, workflow_id) AS counts_as, team, provider, model, service_tier,
    sum(cost_input)::bigint,
    sum(input_tokens - coalesce(cached_input_tokens, 0) - coalesce(cache_write_tokens, 0))::bigint,
    sum(cost_cached)::bigint, sum(cached_input_tokens)::bigint,
    sum(cost_cache_write)::bigint, sum(cache_write_tokens)::bigint,
    sum(cost_output)::bigint, sum(output_tokens)::bigint,
    sum(cost_units)::bigint,
    sum(CASE WHEN cost_units <> 0 THEN CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END END)::bigint
FROM usage_ledger AS ledger LEFT JOIN priced ON priced.corrects = ledger.id
LEFT JOIN unnest(%(aliases)s::int[], %(targets)s::int[]) AS alias (id, counts_as) ON alias.id = workflow_id
WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND (cost IS NOT NULL OR priced.corrects IS NOT NULL)
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
"""
# The month's own calls, and late ones. What got its price in this month was missing in another one's file, not here.
LEFT_OUT = """
WITH late AS (
    SELECT sum(unpriced) AS unpriced,
        coalesce(sum(CASE kind WHEN 0 THEN 1 WHEN 2 THEN -1 ELSE 0 END) FILTER (WHERE NOT measured), 0) AS unmeasured
    FROM usage_ledger AS ledger
    WHERE posted_at >= %(starts)s AND posted_at < %(stops)s AND posted_at <> time AND time < %(starts)s
        AND NOT EXISTS (SELECT 1 FROM usage_ingestbatch WHERE id = ledger.batch_id AND folded_at IS NULL)
    GROUP BY workflow_id, provider, model, date_trunc('month', time AT TIME ZONE %(zone)s)
), parts AS (
    SELECT sum(unpriced) AS unpriced, sum(unmeasured) AS unmeasured FROM usage_quarterhour
    WHERE bucket >= %(starts)s AND bucket < %(stops)s
    UNION ALL SELECT greatest(unpriced, 0) - unpriced, greatest(unmeasured, 0) - unmeasured FROM late
)
SELECT greatest(sum(unpriced), 0)::bigint, greatest(sum(unmeasured), 0)::bigint FROM parts
"""
AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Calls of the month that no file can hold, since nobody knows what they cost."""

    unpriced: int
    unmeasured: int


def period_of(organisation: Organisation, month: date) -> Period:
    """The month as the organisation's zone has it."""
    zone = organisation.zone
    return Period(day_starts_at(month, zone), day_starts_at(month_after(month), zone), organisation.name)


def left_out(organisation: Organisation, month: date) -> LeftOut:
    """One statement."""
    period = period_of(organisation, month)
    with connection.cursor() as cursor:
        cursor.execute(LEFT_OUT, {"zone": organisation.zone.key, "starts": period.starts, "stops": period.stops})
        unpriced, unmeasured = cursor.fetchone()
    return LeftOut(unpriced or 0, unmeasured or 0)


def is_kept(organisation: Organisation, month: date) -> bool:
    """Whether all of the month's calls are still in the ledger: a file of the rest would be short. One statement."""
    since = kept_since()
    return since is None or since <= period_of(organisation, month).starts


def charges(organisation: Organisation, month: date) -> Iterator[Row]:
    """All rows of the month, a few thousand at a time from a cursor that PostgreSQL keeps: usage by day, then other
    costs by name.
    """
    books = books_of(organisation, month)
    period, owners = replace(period_of(organisation, month), account=books.organisation), Owners(books)
    values: dict[str, Any] = {"zone": organisation.zone.key, "starts": period.starts, "stops": period.stops}
    values |= {"aliases": list(owners.aliases), "targets": list(owners.aliases.values())}
    with connection.chunked_cursor() as cursor:
        cursor.execute(USED, values)
        while found := cursor.fetchmany(AT_ONCE):
            for row in found:
                yield from rows_of(_used(row, owners, organisation), period)
    yield from _beside(organisation, month, period, owners)


def _used(row: tuple[Any, ...], owners: Owners, organisation: Organisation) -> Used:
    day, corrects, workflow, team, provider, model, service_tier, *sums = row
    amounts = [int(one or 0) for one in sums]
    return Used(
        starts=day_starts_at(day, organisation.zone),
        stops=day_starts_at(day + DAY, organisation.zone),
        corrects=corrects,
        owner=owners.of(workflow, team),
        provider=provider,
        model=model,
        service_tier=service_tier,
        meters=tuple(zip(amounts[::2], amounts[1::2], strict=True)),
    )


def _beside(organisation: Organisation, month: date, period: Period, owners: Owners) -> Iterator[Row]:
    last = month_after(month) - DAY
    for cost in during(month, last).order_by("name", "pk"):
        share = within(cost.cost, cost.first_day, cost.last_day, month, last)
        if not share:
            continue
        first, end = max(month, cost.first_day), min(last, cost.last_day)
        yield row_beside(
            Beside(
                starts=day_starts_at(first, organisation.zone),
                stops=day_starts_at(end + DAY, organisation.zone),
                owner=owners.of_cost(cost),
                name=cost.name,
                kind=cost.kind,
                vendor=cost.vendor,
                cost=share,
            ),
            period,
        )
