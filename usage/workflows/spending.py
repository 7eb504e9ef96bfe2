"""What one workflow spent: by month and model, and day by day this month. From rollups; other names count too."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncMonth

from budgets.currency.shown import shown
from budgets.limits.calendar import DAY, day_starts_at, period_bounds
from budgets.models import Organisation, Workflow
from budgets.pages.amounts import drawn
from budgets.pages.moments import day, weekday
from usage.models import QuarterHour
from usage.prices.colours import COLOURS, colours_of
from usage.workflows.reading import Month

MONTHS = 6
OTHER_SLOT = COLOURS + 1


@dataclass(frozen=True, slots=True)
class MonthModel:
    """One model's use in one month (its first day). Cost in nano-dollars, of priced calls only."""

    month: date
    model: str
    cost: int
    calls: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class Spending:
    """The rows, newest month first and dearest model first; `months` are (first day, cost, calls), newest first."""

    rows: tuple[MonthModel, ...]

    @property
    def months(self) -> list[tuple[date, int, int]]:
        found: dict[date, list[int]] = defaultdict(lambda: [0, 0])
        for row in self.rows:
            found[row.month][0] += row.cost
            found[row.month][1] += row.calls
        return [(month, cost, calls) for month, (cost, calls) in sorted(found.items(), reverse=True)]

    def of(self, month: date) -> tuple[int, int, int]:
        """Cost, calls and calls without a price of that month.

        A price for a call in closed days takes away one in the open ones, where the call is none: no model's go below.
        """
        rows = [row for row in self.rows if row.month == month]
        unpriced = sum(max(0, row.unpriced) for row in rows)
        return sum(row.cost for row in rows), sum(row.calls for row in rows), unpriced


def _usage(workflow: Workflow) -> QuerySet[QuarterHour]:
    """Under its own id where it is merged: what it had before."""
    if workflow.merged_into_id is not None:
        return QuarterHour.objects.filter(workflow_id=workflow.pk)
    ids = list(Workflow.objects.counted_as(workflow.slug).values_list("pk", flat=True))
    return QuarterHour.objects.filter(workflow_id__in=ids)


def spending_of(workflow: Workflow, organisation: Organisation, month: Month) -> Spending:
    """The last six months. Two statements."""
    zone, first = organisation.zone, month.first
    for _ in range(MONTHS - 1):
        first = period_bounds("month", first - DAY, zone).first
    rows = (
        _usage(workflow)
        .filter(bucket__gte=day_starts_at(first, zone), bucket__lt=month.stops)
        .annotate(month=TruncMonth("bucket", tzinfo=zone))
        .values_list("month", "model")
        .annotate(cost_sum=Sum("cost"), call_sum=Sum("calls"), unpriced_sum=Sum("unpriced"))
        .order_by()
    )
    found = [
        MonthModel(when.astimezone(zone).date(), model, int(cost), int(calls), int(unpriced))
        for when, model, cost, calls, unpriced in rows
    ]
    return Spending(tuple(sorted(found, key=lambda row: (-row.month.toordinal(), -row.cost, row.model))))


def daily_chart(workflow: Workflow, organisation: Organisation, month: Month) -> dict[str, Any]:
    """What the browser draws: cost per complete day of this month, by model; empty before the first such day.

    Three statements, and a few more at the first sight of a model.
    """
    zone, yesterday = organisation.zone, month.today - DAY
    if yesterday < month.first:
        return {}
    rows = list(
        _usage(workflow)
        .filter(Q(bucket__gte=month.starts), bucket__lt=day_starts_at(month.today, zone))
        .annotate(day=TruncDate("bucket", tzinfo=zone))
        .values_list("day", "model")
        .annotate(cost_sum=Sum("cost"))
        .order_by()
    )
    days = [month.first + timedelta(days=n) for n in range((yesterday - month.first).days + 1)]
    costs: dict[str, dict[date, int]] = defaultdict(dict)
    for when, model, cost in rows:
        costs[model][when] = int(cost)
    ranked = sorted((name for name in costs if any(costs[name].values())), key=lambda name: -sum(costs[name].values()))
    return _drawn(days, costs, ranked, colours_of(ranked)) if ranked else {}


def _drawn(
    days: Sequence[date], costs: dict[str, dict[date, int]], ranked: Sequence[str], colours: dict[str, int]
) -> dict[str, Any]:
    series = [
        {"name": name, "slot": slot, "values": [drawn(costs[name].get(one, 0)) for one in days]}
        for name, slot in sorted(colours.items(), key=lambda item: item[1])
    ]
    rest = [name for name in ranked if name not in colours]
    if rest:
        values = [drawn(sum(costs[name].get(one, 0) for name in rest)) for one in days]
        series.append({"name": "Other", "slot": OTHER_SLOT, "values": values})
    return {
        "currency": shown().code,
        "locale": "en-US",
        "labels": [day(one) for one in days],
        "full": [weekday(one) for one in days],
        "iso": [one.isoformat() for one in days],
        "today": len(days) - 1,
        "series": series,
        "compare": None,
        "total": {"label": "Spent", "actual": [], "ahead": [], "plan": None},
    }
