"""What a budget that is being typed would have meant: set against what its scope used last period and this one.

Read from rollups: quarter hours for what those hold, days of one wide dimension for a user, a customer, an application
or a tag. A combination that no rollup holds says so by being None.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from budgets.limits.calendar import Period, day_of, day_starts_at, period_bounds, previous_period
from budgets.limits.edit import BudgetValues
from budgets.models import Organisation, Workflow
from usage.models import QuarterHour, WideDay

CORE = {"team": "team", "environment": "environment", "model": "model", "provider": "provider", "tier": "tier"}
WIDE = {"user", "customer", "application", "tag"}
MEASURE: dict[str, Any] = {"money": F("cost"), "calls": F("calls"), "tokens": F("input_tokens") + F("output_tokens")}


@dataclass(frozen=True)
class Meaning:
    """`before` was used in the whole period before (None: there is none), `so_far` in this one.

    `ran_out` is the day on which the amount would have run out in the period before, `already` whether this period's
    use is past it now.
    """

    before: int | None
    so_far: int
    ran_out: date | None
    period: Period
    already: bool

    def change(self, amount: int) -> int | None:
        """Percent that the amount is more (positive) or less than what was used in the period before."""
        return round((amount - self.before) * 100 / self.before) if self.before else None


def meaning_of(values: BudgetValues, organisation: Organisation, now: datetime) -> Meaning | None:
    """At most three statements; None where no rollup holds this combination or the dates are not complete."""
    zone, today = organisation.zone, day_of(now, organisation.zone)
    if values.period == "fixed" and not (values.starts_on and values.ends_on):
        return None
    month = organisation.fiscal_year_starts
    period = period_bounds(values.period, today, zone, values.starts_on, values.ends_on, month)
    before = previous_period(values.period, period, zone, month)
    first = before.first if before else period.first
    daily = used_by_day(dict(values.scope), values.metric, first, min(today, period.last), organisation)
    if daily is None:
        return None
    so_far = sum(used for day, used in daily.items() if day >= period.first)
    earlier = {day: used for day, used in daily.items() if day < period.first}
    return Meaning(
        before=sum(earlier.values()) if before and any(earlier.values()) else None,
        so_far=so_far,
        ran_out=_runs_out(earlier, values.amount),
        period=period,
        already=so_far >= values.amount,
    )


def _runs_out(daily: dict[date, int], amount: int) -> date | None:
    total = 0
    for day in sorted(daily):
        total += daily[day]
        if total >= amount:
            return day
    return None


def used_by_day(
    scope: dict[str, str], metric: str, first: date, last: date, organisation: Organisation
) -> dict[date, int] | None:
    """Nano-dollars, tokens or calls on each day that had any; None where no rollup holds the combination."""
    wide = [name for name in scope if name in WIDE]
    workflow = Q()
    if "workflow" in scope:
        workflow = Q(workflow_id__in=Workflow.objects.counted_as(scope["workflow"]).values("pk"))
    if not wide:
        rows = _quarter_hours(scope, first, last, organisation).filter(workflow)
    elif len(wide) == 1 and set(scope) <= {*WIDE, "workflow", "model", "provider"}:
        same = {name: scope[name] for name in ("model", "provider") if name in scope}
        rows = WideDay.objects.filter(
            workflow, dimension=wide[0], value=scope[wide[0]], day__gte=first, day__lte=last, **same
        )
    else:
        return None
    summed = rows.values_list("day").annotate(used=Sum(MEASURE[metric])).order_by()
    return {day: int(used or 0) for day, used in summed}


def _quarter_hours(scope: dict[str, str], first: date, last: date, organisation: Organisation) -> QuerySet[Any]:
    same = {CORE[name]: value for name, value in scope.items() if name in CORE}
    zone = organisation.zone
    return QuarterHour.objects.filter(
        bucket__gte=day_starts_at(first, zone), bucket__lt=day_starts_at(last + timedelta(days=1), zone), **same
    ).annotate(day=TruncDate("bucket", tzinfo=zone))
