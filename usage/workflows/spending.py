"""What one workflow spent: by month and model, and day by day this month. From rollups; other names count too."""

from collections import defaultdict
from collections.abc import Iterable
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
from usage.workflows.reading import Month, Use

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
    unmeasured: int


@dataclass(frozen=True, slots=True)
class Spending:
    """The rows, newest month first and dearest model first; `months` are those of all models, newest first."""

    rows: tuple[MonthModel, ...]

    @property
    def months(self) -> list[MonthModel]:
        return [self.of(month) for month in sorted({row.month for row in self.rows}, reverse=True)]

    def of(self, month: date) -> MonthModel:
        """What all models were used in that month.

        A price for a call in closed days takes away one in the open ones, where the call is none: no model's go below.
        """
        rows = [row for row in self.rows if row.month == month]
        cost, calls = (sum(getattr(row, name) for row in rows) for name in ("cost", "calls"))
        unpriced, unmeasured = (sum(max(0, getattr(row, name)) for row in rows) for name in ("unpriced", "unmeasured"))
        return MonthModel(month, "", cost, calls, unpriced, unmeasured)


def added(uses: Iterable[Use]) -> Use:
    return Use(*map(sum, zip(*uses, strict=True)))


@dataclass(frozen=True, slots=True)
class ModelDays:
    """One model's use on each day, oldest first, or that of all others. `slot` is its colour, 1 to 6."""

    name: str
    slot: int
    uses: tuple[Use, ...]

    @property
    def total(self) -> int:
        return sum(one.cost for one in self.uses)


@dataclass(frozen=True, slots=True)
class Daily:
    """Use on each complete day of a month by model: at most five and Other, in the order of their colours.

    `totals` are of all models; those without a price have no series of their own.
    """

    days: tuple[date, ...]
    series: tuple[ModelDays, ...]
    totals: tuple[Use, ...]

    @property
    def rows(self) -> list[tuple[date, list[Use], Use]]:
        """The table beside the chart: a day, each series' use, all use; the newest first."""
        columns = zip(*(one.uses for one in self.series), strict=True)
        oldest_first = zip(self.days, map(list, columns), self.totals, strict=True)
        return [*oldest_first][::-1]

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
                {"name": one.name, "slot": one.slot, "values": [drawn(use.cost) for use in one.uses]}
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
        .annotate(
            cost_sum=Sum("cost"), call_sum=Sum("calls"), unpriced_sum=Sum("unpriced"), unmeasured_sum=Sum("unmeasured")
        )
        .order_by()
    )
    found = [MonthModel(when.astimezone(zone).date(), model, *map(int, sums)) for when, model, *sums in rows]
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
        .annotate(*(Sum(name) for name in Use._fields))
        .order_by()
    )
    days = tuple(month.first + timedelta(days=n) for n in range((yesterday - month.first).days + 1))
    place = {one: n for n, one in enumerate(days)}
    uses: dict[str, list[Use]] = defaultdict(lambda: [Use()] * len(days))
    for when, model, *sums in rows:
        uses[model][place[when]] = Use(*map(int, sums))
    costs = {name: sum(one.cost for one in of) for name, of in uses.items() if any(one.cost for one in of)}
    if not costs:
        return None
    colours = colours_of(sorted(costs, key=lambda name: -costs[name]))
    series = [ModelDays(name, slot, tuple(uses[name])) for name, slot in colours.items()]
    if costs.keys() - colours.keys():  # those without a price belong there, too
        rest = [of for name, of in uses.items() if name not in colours]
        series.append(ModelDays("Other", OTHER_SLOT, tuple(map(added, zip(*rest, strict=True)))))
    totals = tuple(map(added, zip(*uses.values(), strict=True)))
    return Daily(days, tuple(sorted(series, key=lambda one: one.slot)), totals)
