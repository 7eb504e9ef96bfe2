"""What one workflow spent: by month and model, and day by day this month. From rollups; other names count too."""

from collections import defaultdict
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


@dataclass(frozen=True, slots=True)
class ModelDays:
    """One model's cost on each day, oldest first, or that of all others. `slot` is its colour, 1 to 6."""

    name: str
    slot: int
    values: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class Daily:
    """Cost of each complete day of a month by model: at most five and Other, in the order of their colours."""

    days: tuple[date, ...]
    series: tuple[ModelDays, ...]

    @property
    def rows(self) -> list[tuple[date, list[int], int]]:
        """The table beside the chart: a day, each series' cost, their sum; the newest first."""
        columns = zip(self.days, zip(*(one.values for one in self.series), strict=True), strict=True)
        return [(when, list(costs), sum(costs)) for when, costs in columns][::-1]

    @property
    def chart(self) -> dict[str, Any]:
        """What the browser draws."""
        return {
            "currency": shown().code,
            "locale": "en-US",
            "labels": [day(one) for one in self.days],
            "full": [weekday(one) for one in self.days],
            "iso": [one.isoformat() for one in self.days],
            "today": len(self.days) - 1,
            "series": [
                {"name": one.name, "slot": one.slot, "values": [drawn(value) for value in one.values]}
                for one in self.series
            ],
            "compare": None,
            "total": {"label": "Spent", "actual": [], "ahead": [], "plan": None},
        }


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


def daily_of(workflow: Workflow, organisation: Organisation, month: Month) -> Daily | None:
    """Of this month's complete days; None before the first such day with spend.

    Three statements, and a few more at the first sight of a model.
    """
    zone, yesterday = organisation.zone, month.today - DAY
    if yesterday < month.first:
        return None
    rows = (
        _usage(workflow)
        .filter(Q(bucket__gte=month.starts), bucket__lt=day_starts_at(month.today, zone))
        .annotate(day=TruncDate("bucket", tzinfo=zone))
        .values_list("day", "model")
        .annotate(cost_sum=Sum("cost"))
        .order_by()
    )
    days = tuple(month.first + timedelta(days=n) for n in range((yesterday - month.first).days + 1))
    place = {one: n for n, one in enumerate(days)}
    costs: dict[str, list[int]] = defaultdict(lambda: [0] * len(days))
    for when, model, cost in rows:
        costs[model][place[when]] = int(cost)
    ranked = sorted((name for name in costs if any(costs[name])), key=lambda name: -sum(costs[name]))
    if not ranked:
        return None
    colours = colours_of(ranked)
    series = [ModelDays(name, slot, tuple(costs[name])) for name, slot in colours.items()]
    if rest := [costs[name] for name in ranked if name not in colours]:
        series.append(ModelDays("Other", OTHER_SLOT, tuple(map(sum, zip(*rest, strict=True)))))
    return Daily(days, tuple(sorted(series, key=lambda one: one.slot)))
