"""What a budget that is being typed would have meant: set against what its scope used last period and this one.

Read from rollups: quarter hours for what those hold, days of one wide dimension for a user, a customer, an application
or a tag. A combination that no rollup holds says so by being None.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db.models import Sum

from budgets.limits.calendar import Period, day_of, day_starts_at, expected_share, period_bounds, previous_period
from budgets.limits.edit import BudgetValues
from budgets.models import Organisation
from budgets.pages import pace
from reports.breakdown.covered import MEASURE, covered


@dataclass(frozen=True)
class Meaning:
    """`before` was used in the whole period before (None: there is none), `so_far` in this one.

    `ran_out` is the day on which the amount would have run out in the period before, `already` whether this period's
    use is past it now. `runs_out` is the day on which it runs out in this one: has done already, or will at the pace
    so far; None where it lasts or that cannot be said. `landing` is what the pace leads to, None while too early.
    """

    before: int | None
    so_far: int
    ran_out: date | None
    period: Period
    already: bool
    runs_out: date | None = None
    landing: int | None = None

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
    this = {day: used for day, used in daily.items() if day >= period.first}
    earlier = {day: used for day, used in daily.items() if day < period.first}
    so_far = sum(this.values())
    already = so_far >= values.amount
    began = min((day for day, used in this.items() if used), default=None)
    seen_from = day_starts_at(began, zone) if began else None
    return Meaning(
        before=sum(earlier.values()) if before and any(earlier.values()) else None,
        so_far=so_far,
        ran_out=_runs_out(earlier, values.amount),
        period=period,
        already=already,
        runs_out=_runs_out(this, values.amount) if already else _at_pace(values, period, so_far, seen_from, now, zone),
        landing=pace.expected(period, so_far, seen_from, now, zone, values.pace) if period.contains(now) else None,
    )


def _at_pace(
    values: BudgetValues, period: Period, so_far: int, seen_from: datetime | None, now: datetime, zone: ZoneInfo
) -> date | None:
    """The first day by whose end an even pace since `seen_from` has used the amount up."""
    if seen_from is None or so_far <= 0 or not period.contains(now):
        return None
    if not pace.seen_enough(seen_from, period.starts_at, period.ends_at, now):
        return None
    since = expected_share(period, seen_from, zone, values.pace)
    passed = expected_share(period, now, zone, values.pace) - since
    if passed <= 0:
        return None
    wanted = since + passed * Fraction(values.amount, so_far)
    if wanted > 1:
        return None
    first, days = day_of(now, zone), (period.last - day_of(now, zone)).days
    low, high = 0, days
    while low < high:  # the share never falls from one day to the next
        middle = (low + high) // 2
        ends = day_starts_at(first + timedelta(days=middle + 1), zone)
        low, high = (low, middle) if expected_share(period, ends, zone, values.pace) >= wanted else (middle + 1, high)
    return first + timedelta(days=low)


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
    rows = covered(scope, first, last, organisation)
    if rows is None:
        return None
    summed = rows.order_by().values_list("day").annotate(used=Sum(MEASURE[metric]))
    return {day: int(used or 0) for day, used in summed}
