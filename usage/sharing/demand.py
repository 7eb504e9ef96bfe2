"""What each budget of a pool used lately, and what its work is worth: a fixed number of statements for any number."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from django.db.models import Case, F, Q, Sum, When

from budgets.limits.calendar import DAY, day_of, day_starts_at
from budgets.models import Budget, BudgetSeries, Organisation, Workflow
from usage.models import QuarterHour

DAYS = 28  # four weeks, so that every weekday counts alike
PLAIN = Fraction(1)


@dataclass(frozen=True, slots=True)
class Demand:
    """`used` in `days` complete days, in the budget's metric; `days` is below DAYS where nothing older is known.

    `weight` is the value weight of its workflow, or of its team's workflows by what they cost; 1 for other scopes.
    `weighed`: whose weight that is, "workflow", "team" or "".
    """

    used: int
    days: int
    weight: Fraction
    weighed: str

    @property
    def recent(self) -> Fraction:
        """What DAYS days come to; nothing where no complete day is known."""
        return Fraction(self.used * DAYS, self.days) if self.days else Fraction(0)

    @property
    def claim(self) -> Fraction:
        """Value weight times recent use: what a budget weighs when a pool is shared by demand."""
        return self.weight * self.recent


def demand_of(budgets: Sequence[Budget], organisation: Organisation, now: datetime) -> dict[int, Demand]:
    """By budget id. One statement for use, at most three for weights."""
    zone = organisation.zone
    today = day_of(now, zone)
    first = today - DAYS * DAY
    starts_at, ends_at = day_starts_at(first, zone), day_starts_at(today, zone)
    used: dict[int, int] = dict(
        BudgetSeries.objects.filter(budget__in=[one.pk for one in budgets], bucket__gte=starts_at, bucket__lt=ends_at)
        .values_list("budget_id")
        .annotate(total=Sum("amount"))
        .order_by()
    )
    weights = _weights(budgets, starts_at, ends_at)
    found = {}
    for one in budgets:
        known_from = one.opened_from or ends_at
        days = max(0, (today - max(first, _first_whole_day(known_from, organisation))).days)
        weight, weighed = weights.get(_weighed_by(one), (PLAIN, ""))
        found[one.pk] = Demand(max(0, int(used.get(one.pk, 0))), days, weight, weighed)
    return found


def _first_whole_day(since: datetime, organisation: Organisation) -> date:
    day = day_of(since, organisation.zone)
    return day if day_starts_at(day, organisation.zone) >= since else day + DAY


def _weighed_by(budget: Budget) -> tuple[str, str]:
    """The dimension of its scope that has a value weight: its workflow's before its team's."""
    for dimension in ("workflow", "team"):
        if budget.scope.get(dimension):
            return dimension, str(budget.scope[dimension])
    return "", ""


def _weights(
    budgets: Sequence[Budget], starts_at: datetime, ends_at: datetime
) -> Mapping[tuple[str, str], tuple[Fraction, str]]:
    wanted: dict[str, set[str]] = defaultdict(set)
    for one in budgets:
        dimension, value = _weighed_by(one)
        wanted[dimension].add(value)
    found: dict[tuple[str, str], tuple[Fraction, str]] = {}
    # A merged workflow counts as the one that it was merged into.
    weight = Case(When(merged_into__isnull=False, then=F("merged_into__value_weight")), default=F("value_weight"))
    for slug, own in Workflow.objects.filter(slug__in=wanted["workflow"]).values_list("slug", weight):
        found["workflow", slug] = (Fraction(own), "workflow")
    for team, mean in _team_weights(wanted["team"], starts_at, ends_at).items():
        found["team", team] = (mean, "team")
    return found


def _team_weights(teams: set[str], starts_at: datetime, ends_at: datetime) -> dict[str, Fraction]:
    """Each team's mean weight: of its workflows by what they cost in the time, evenly where they cost nothing."""
    if not teams:
        return {}
    weights: dict[str, dict[int, Decimal]] = defaultdict(dict)
    counts_as: dict[int, int] = {}
    for pk, target, team, weight in Workflow.objects.filter(
        Q(team__slug__in=teams, merged_into=None) | Q(merged_into__team__slug__in=teams)
    ).values_list("pk", "merged_into", "team__slug", "value_weight"):
        counts_as[pk] = target or pk
        if target is None:
            weights[team][pk] = weight
    cost: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    rows = QuarterHour.objects.filter(bucket__gte=starts_at, bucket__lt=ends_at, team__in=teams, cost__gt=0)
    for team, pk, total in rows.values_list("team", "workflow_id").annotate(total=Sum("cost")).order_by():
        cost[team][counts_as.get(pk, pk)] += int(total)
    found = {}
    for team, each in weights.items():
        spent = {pk: cost[team].get(pk, 0) for pk in each}
        everything = sum(spent.values())
        found[team] = (
            sum((Fraction(each[pk]) * spent[pk] for pk in each), Fraction(0)) / everything
            if everything
            else sum(map(Fraction, each.values()), Fraction(0)) / len(each)
        )
    return found
