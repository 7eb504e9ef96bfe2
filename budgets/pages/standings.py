"""Read how all budgets stand: a fixed number of statements, whatever the number of budgets."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from django.db.models import DateTimeField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import TruncDate

from budgets.limits import scope as scopes
from budgets.limits.calendar import Period, day_of, day_starts_at, expected_share
from budgets.models import Budget, BudgetSeries, BudgetState, Organisation, Team, Workflow
from budgets.pages import pace
from budgets.pages.standing import Standing, holds

SPARK_DAYS = 30
FIRST_USE = Subquery(
    BudgetSeries.objects.filter(budget=OuterRef("budget"), bucket__gte=OuterRef("starts_at"))
    .order_by("bucket")
    .values("bucket")[:1],
    output_field=DateTimeField(),
)


def running(now: datetime) -> QuerySet[BudgetState]:
    """The states of the periods that run."""
    return BudgetState.objects.filter(starts_at__lte=now, ends_at__gt=now)


def standings(
    organisation: Organisation, now: datetime, budgets: QuerySet[Budget] | None = None
) -> tuple[list[Standing], list[Budget]]:
    """Every budget's standing in the period that `now` falls in, the riskiest first; and those not counted yet.

    Two statements for the budgets and two for the names of what they cover.
    """
    chosen = Budget.objects.exclude(status=Budget.Status.ARCHIVED) if budgets is None else budgets
    chosen_rows = list(chosen)
    states = {
        state.budget_id: state
        for state in running(now).filter(budget__in=[row.pk for row in chosen_rows]).annotate(first_use=FIRST_USE)
    }
    names = scope_names(row.scope for row in chosen_rows)
    found = [_standing(row, states[row.pk], organisation, now, names) for row in chosen_rows if row.pk in states]
    return sorted(found, key=lambda one: (one.risk, one.name)), [row for row in chosen_rows if row.pk not in states]


def _standing(
    budget: Budget,
    state: BudgetState,
    organisation: Organisation,
    now: datetime,
    names: dict[tuple[str, str], str],
) -> Standing:
    zone = organisation.zone
    period = Period(state.period_start, state.period_end, state.starts_at, state.ends_at)
    share = expected_share(period, now, zone, budget.pace)
    expected = most = None
    if state.projected is not None and holds(state.projected_at, now):
        expected = max(state.projected, state.spent)  # made in the night: by now it may be overtaken
        most = None if state.projected_most is None else max(state.projected_most, expected)
    is_forecast = expected is not None
    if expected is None:
        expected = pace.expected(period, state.spent, getattr(state, "first_use", None), now, zone, budget.pace)
    return Standing(
        budget_id=budget.pk,
        slug=budget.slug,
        name=budget.name,
        covers=scopes.in_words(budget.scope, names),
        beneath=_beneath(budget, names),
        is_whole_organisation=not budget.scope,
        metric=budget.metric,
        period=budget.period,
        action=budget.on_exhausted,
        is_paused=budget.status == Budget.Status.PAUSED,
        first=state.period_start,
        last=state.period_end,
        limit=state.limit,
        spent=state.spent,
        calls=state.calls,
        crossed=state.crossed,
        is_over=state.status == BudgetState.Status.EXHAUSTED,
        share=share,
        landing=expected,
        is_forecast=is_forecast,
        likely_most=most,
        forecast_of=None if is_forecast or state.projected_at is None else day_of(state.projected_at, zone),
    )


def _beneath(budget: Budget, names: dict[tuple[str, str], str]) -> str:
    """What stands under the name: the team of a budget of one workflow, else what it covers."""
    if set(budget.scope) == {"workflow"}:
        return names.get(("team of", budget.scope["workflow"]), "Workflow")
    return scopes.in_words(budget.scope, names)


def same_end(rows: Sequence[Standing]) -> date | None:
    """The last day of the period where all of these share it, so that a table says it once."""
    ends = {row.last for row in rows}
    return ends.pop() if len(ends) == 1 else None


def scope_names(covered: Iterable[dict[str, str]]) -> dict[tuple[str, str], str]:
    """What people call the workflows and teams that scopes name by slug, and under "team of" a workflow's team."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for one in covered:
        for dimension, value in one.items():
            wanted[dimension].add(value)
    workflows = Workflow.objects.filter(slug__in=wanted["workflow"]).values_list("slug", "name", "team__name")
    teams = Team.objects.filter(slug__in=wanted["team"]).values_list("slug", "name")
    names = {("team", slug): name for slug, name in teams}
    for slug, name, team in workflows:
        names["workflow", slug] = name
        if team:
            names["team of", slug] = team
    return names


def with_sparks(rows: Sequence[Standing], organisation: Organisation, today: date) -> list[Standing]:
    """The same standings with what was used on each of the last 30 complete days. One statement."""
    first = today - timedelta(days=SPARK_DAYS)
    zone = organisation.zone
    daily = (
        BudgetSeries.objects.filter(
            Q(budget__in=[row.budget_id for row in rows]),
            bucket__gte=day_starts_at(first, zone),
            bucket__lt=day_starts_at(today, zone),
        )
        .annotate(day=TruncDate("bucket", tzinfo=zone))
        .values_list("budget_id", "day")
        .annotate(used=Sum("amount"))
    )
    used = {(budget, day): int(total) for budget, day, total in daily}
    days = [first + timedelta(days=i) for i in range(SPARK_DAYS)]
    return [replace(row, spark=tuple(used.get((row.budget_id, day), 0) for day in days)) for row in rows]
