"""What a scope used in the complete periods before the present one, and how its runs came out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q, Sum

from budgets.limits.calendar import DAY, Period, day_of, day_starts_at, period_bounds, previous_period
from budgets.limits.edit import BudgetValues
from budgets.models import Organisation, Workflow
from reports.breakdown.covered import MEASURE, covered
from reports.suggestion.suggest import LEAST_PERIODS, Outcomes
from usage.rollups.runs import count_runs

BACK = {"day": 14, "week": 4, "month": 3, "quarter": 4, "year": 3, "fixed": 3}
EARLY = 10  # a period counts as complete where use began within a tenth of it
OF_RUNS = {"workflow", "team"}  # what a run's outcome can be told apart by


@dataclass(frozen=True)
class History:
    """`periods` are complete ones, oldest first, each with what it used and how many calls. `held`: a rollup has it.

    `complete_on` is the day on which enough of them will be complete; None where nothing was used yet.
    """

    periods: tuple[tuple[Period, int, int], ...]
    outcomes: Outcomes | None
    held: bool
    complete_on: date | None

    @property
    def used(self) -> list[int]:
        return [used for _, used, _ in self.periods]

    @property
    def calls(self) -> int:
        """On average."""
        return sum(calls for *_, calls in self.periods) // len(self.periods) if self.periods else 0


def history_of(values: BudgetValues, organisation: Organisation, now: datetime) -> History:
    """At most four statements. `values` need a scope, a metric, a period and, where fixed, its dates."""
    scope = dict(values.scope)
    periods = periods_before(values, organisation, now)
    found = covered(scope, periods[0].first, day_of(now, organisation.zone), organisation)
    if found is None:
        return History((), None, held=False, complete_on=None)
    daily = {
        day: (int(used or 0), int(calls or 0))
        for day, used, calls in found.order_by()
        .values_list("day")
        .annotate(used=Sum(MEASURE[values.metric]), number=Sum("calls"))
    }
    began = min(daily, default=None)
    complete = tuple((one, *_summed(daily, one)) for one in periods[1:] if began and _is_complete(one, began))
    return History(
        periods=complete,
        outcomes=_outcomes(scope, complete) if complete and set(scope) <= OF_RUNS else None,
        held=True,
        complete_on=_enough_on(values, began, organisation) if began else None,
    )


def periods_before(values: BudgetValues, organisation: Organisation, now: datetime) -> list[Period]:
    """The periods that are over, oldest first: as many as are looked at, and one before that tells when use began."""
    zone, today = organisation.zone, day_of(now, organisation.zone)
    month = organisation.fiscal_year_starts
    if values.period == "fixed":
        assert values.starts_on and values.ends_on
        return _stretches(values.starts_on, values.ends_on, today, organisation)
    one = period_bounds(values.period, today, zone, fiscal_year_starts=month)
    found = []
    for _ in range(BACK[values.period] + 1):
        before = previous_period(values.period, one, zone, month)
        assert before  # only fixed dates have none
        one = before
        found.append(one)
    return found[::-1]


def _stretches(first: date, last: date, today: date, organisation: Organisation) -> list[Period]:
    """For fixed dates: stretches of as many days, up to yesterday or the day before they begin."""
    length, zone = (last - first).days + 1, organisation.zone
    end = min(first, today)
    found = []
    for i in range(BACK["fixed"] + 1):
        starts, after = end - timedelta(days=length * (i + 1)), end - timedelta(days=length * i)
        found.append(Period(starts, after - DAY, day_starts_at(starts, zone), day_starts_at(after, zone)))
    return found[::-1]


def _is_complete(period: Period, began: date) -> bool:
    days = (period.last - period.first).days + 1
    return began <= period.first + timedelta(days=days // EARLY)


def _summed(daily: dict[date, tuple[int, int]], period: Period) -> tuple[int, int]:
    rows = [both for day, both in daily.items() if period.first <= day <= period.last]
    return sum(used for used, _ in rows), sum(calls for _, calls in rows)


def _enough_on(values: BudgetValues, began: date, organisation: Organisation) -> date | None:
    """The first day after the last period that is still needed."""
    if values.period == "fixed":
        assert values.starts_on and values.ends_on
        return began + timedelta(days=LEAST_PERIODS * ((values.ends_on - values.starts_on).days + 1))
    zone, month = organisation.zone, organisation.fiscal_year_starts
    one = period_bounds(values.period, began, zone, fiscal_year_starts=month)
    if not _is_complete(one, began):
        one = period_bounds(values.period, one.last + DAY, zone, fiscal_year_starts=month)
    for _ in range(LEAST_PERIODS - 1):
        one = period_bounds(values.period, one.last + DAY, zone, fiscal_year_starts=month)
    return one.last + DAY


def _outcomes(scope: dict[str, str], periods: Sequence[tuple[Period, int, int]]) -> Outcomes:
    ids = None
    if scope:
        theirs = Workflow.objects.all()
        if "workflow" in scope:
            theirs = theirs.counted_as(scope["workflow"])
        if "team" in scope:
            team = scope["team"]
            theirs = theirs.filter(Q(team__slug=team, merged_into=None) | Q(merged_into__team__slug=team))
        ids = list(theirs.values_list("pk", flat=True))
    found = count_runs(periods[0][0].starts_at, periods[-1][0].ends_at, ids)
    return Outcomes(found.runs, found.reviewed, found.approved, found.reworked)
