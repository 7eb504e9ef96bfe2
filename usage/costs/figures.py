"""Other AI costs as figures beside metered spend: by team and month, by team and day, and for one scope in all.

Nano-dollars, credits below zero; `first` to `last` are days of the organisation's calendar, both included. A cost of a
workflow counts for its team where none is named. Removed ones do not count. One statement each.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Case, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce

from budgets.limits.calendar import DAY, day_starts_at
from usage.costs.spread import by_month, within
from usage.models import OtherCost, QuarterHour

# The team that a cost counts for; of a merged workflow's, that of the one it counts under.
OWNER = Coalesce(
    "team__slug",
    Case(When(workflow__merged_into=None, then="workflow__team__slug"), default="workflow__merged_into__team__slug"),
)
Spread = Callable[[int, date, date, date, date], Iterator[tuple[date, int]]]


@dataclass(frozen=True, slots=True)
class Beside:
    """What other costs come to in a stretch of days, by kind, the largest first; `count` of them touch it."""

    total: int
    by_kind: tuple[tuple[str, int], ...]
    count: int


def during(first: date, last: date) -> QuerySet[OtherCost]:
    """The costs that count on any of these days."""
    return OtherCost.objects.filter(removed_at=None, first_day__lte=last, last_day__gte=first)


def other_costs_by_team_month(first: date, last: date) -> dict[tuple[str, date], int]:
    """(team's short name or "", first day of the month) → what of the costs falls on those of its days asked for."""
    return _spread(first, last, by_month)


def _spread(first: date, last: date, spread: Spread) -> dict[tuple[str, date], int]:
    sums: dict[tuple[str, date], int] = defaultdict(int)
    rows = during(first, last).annotate(owner=OWNER)
    for team, cost, starts, ends in rows.order_by().values_list("owner", "cost", "first_day", "last_day"):
        for when, share in spread(cost, starts, ends, first, last):
            sums[team or "", when] += share
    return dict(sums)


def beside(first: date, last: date, scope: Mapping[str, str] | None = None) -> Beside | None:
    """For everything, a team or a workflow ({"team": …}, {"workflow": …}); None for scopes that costs do not know."""
    scope = scope or {}
    if set(scope) - {"team", "workflow"}:
        return None
    rows = during(first, last)
    if "team" in scope:
        rows = rows.annotate(owner=OWNER).filter(owner=scope["team"])
    if "workflow" in scope:
        name = scope["workflow"]
        rows = rows.filter(Q(workflow__slug=name) | Q(workflow__merged_into__slug=name))
    sums: dict[str, int] = defaultdict(int)
    count = 0
    for kind, cost, starts, ends in rows.order_by().values_list("kind", "cost", "first_day", "last_day"):
        sums[kind] += within(cost, starts, ends, first, last)
        count += 1
    ranked = sorted(sums.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    return Beside(sum(sums.values()), tuple(ranked), count)


@dataclass(frozen=True, slots=True)
class SpentOn:
    """Metered spend of days, their calls, those of them without a price, and other costs beside it."""

    metered: int
    calls: int
    unpriced: int
    other: int


def spent_on(first: date, last: date, zone: ZoneInfo) -> SpentOn:
    """Two statements."""
    rows = QuarterHour.objects.filter(
        bucket__gte=day_starts_at(first, zone), bucket__lt=day_starts_at(last + DAY, zone)
    )
    sums = list(
        rows.order_by()
        .values_list("model")
        .annotate(cost_sum=Sum("cost"), call_sum=Sum("calls"), without=Sum("unpriced"))
    )
    found = beside(first, last)
    return SpentOn(
        metered=sum(int(cost) for _, cost, _, _ in sums),
        calls=sum(int(calls) for _, _, calls, _ in sums),
        # A price for a call in days closed before takes away one here, where the call is none.
        unpriced=sum(max(0, int(unpriced)) for *_, unpriced in sums),
        other=found.total if found else 0,
    )


BY_MONTH = """
WITH cost AS ({rows}), spread AS (
    SELECT first_day, last_day, cost, last_day - first_day + 1 AS days,
        floor(cost::numeric / (last_day - first_day + 1))::bigint AS each
    FROM cost
), part AS (
    SELECT spread.*, cost - each * days AS rest, month::date AS month,
        greatest(month::date, first_day, %(since)s) - first_day AS before,
        least((month + interval '1 month')::date - 1, last_day, %(to)s) - first_day + 1 AS until
    FROM spread, generate_series(
        date_trunc('month', greatest(first_day, %(since)s)::timestamp), least(last_day, %(to)s)::timestamp, '1 month'
    ) AS month
)
SELECT month, sum(each * (until - before) + least(until, rest) - least(before, rest))::bigint FROM part GROUP BY month
"""


def months_of(rows: QuerySet[OtherCost], first: date, last: date) -> dict[date, int]:
    """Month → what these costs come to in it; the arithmetic of `spread`, by the database since there may be many."""
    sql, values = rows.order_by().values("first_day", "last_day", "cost").query.sql_with_params()
    named = {f"v{i}": value for i, value in enumerate(values)}
    inner = sql % tuple(f"%({name})s" for name in named)
    with connection.cursor() as cursor:
        cursor.execute(BY_MONTH.format(rows=inner), {**named, "since": first, "to": last})
        return dict(cursor.fetchall())
