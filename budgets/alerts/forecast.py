"""A budget is likely to exceed its limit by the end of its period."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import Trunc

from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.teams import teams_of_budgets
from budgets.alerts.thresholds import BUDGET, budget_in_words
from budgets.alerts.trigger import Declared, Field, Kind, TooMuchHistory, page
from budgets.limits.calendar import DAY, Period
from budgets.models import Alert, AlertRule, Budget, BudgetSeries, BudgetState, Organisation
from budgets.pages import pace
from budgets.pages.amounts import MONEY, amount
from budgets.pages.moments import day
from budgets.pages.standing import CLOSE, holds
from budgets.pages.standings import FIRST_USE

HOUR = timedelta(hours=1)
MOST_HOURS = 400_000  # hours of budgets that a preview reads


class Forecast(Declared):
    """Options: `over_by` (percent of the limit), and the slug of one `budget` or "".

    Told once per period and limit. It is over once the forecast is well under the limit, the limit was changed, or
    the period has ended.
    """

    key = "budget_forecast"
    words = "A budget is likely to exceed its limit"
    every = timedelta(seconds=60)
    fields = (
        BUDGET,
        Field("over_by", "By at least", Kind.WHOLE, 10, least=0, most=1000, unit="%", help="Of the budget's limit."),
    )

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        by = f" by {options['over_by']}% or more" if options["over_by"] else ""
        return f"Tell me when {budget_in_words(options, team)} is likely to exceed its limit{by}."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        zone, found = Organisation.get().zone, []
        for state in _states(rule).filter(starts_at__lte=now, ends_at__gt=now).annotate(first_use=FIRST_USE):
            comes_to = landing(state, state.spent, getattr(state, "first_use", None), now, zone)
            if comes_to is not None and _exceeds(state, comes_to, rule.options["over_by"]):
                found.append((state, state.spent, comes_to, now))
        return _findings(rule, found)

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """By what was used until the end of each hour with use (with many budgets: of each day, UTC).

        Against the limits that the periods had at last.
        """
        states = list(_states(rule).filter(starts_at__lt=until, ends_at__gt=since))
        step = _step(states, until)
        used, paces = _used(states, until, step), _Paces(Organisation.get().zone)
        found = []
        for state in states:
            spent, first_use, over_by = 0, None, rule.options["over_by"]
            for bucket, cost in used[state.budget_id]:
                if not state.starts_at <= bucket < state.ends_at:
                    continue
                spent, first_use = spent + cost, first_use or bucket
                at = min(bucket + step, until)
                if at < since or at >= state.ends_at:
                    continue
                comes_to = paces.landing(state, spent, first_use, at)
                if comes_to is not None and _exceeds(state, comes_to, over_by, spent):
                    found.append((state, spent, comes_to, at))
                    break
        return _findings(rule, found)

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        by_state = {alert.facts.get("subject", {}).get("state"): alert for alert in alerts}
        zone, found = Organisation.get().zone, []
        rows = BudgetState.objects.filter(pk__in=[pk for pk in by_state if pk]).select_related("budget")
        for state in rows.annotate(first_use=FIRST_USE):
            alert, budget = by_state[state.pk], state.budget
            spent = f"{amount(state.spent, budget.metric)} of {amount(state.limit, budget.metric)}"
            if state.ends_at <= now:
                found.append(Over(alert.cause, f"{spent}: the period of {budget.name} is over."))
                continue
            comes_to = landing(state, state.spent, getattr(state, "first_use", None), now, zone)
            if state.limit_version != alert.facts["subject"]["limit_version"]:
                found.append(Over(alert.cause, f"{spent}: the limit of {budget.name} was changed."))
            elif comes_to is not None and comes_to * 100 <= state.limit * CLOSE:
                comes = f"{amount(comes_to, budget.metric)} of {amount(state.limit, budget.metric)}"
                found.append(Over(alert.cause, f"{comes} by {day(state.period_end)}: {budget.name} is on pace again."))
        return found


def landing(state: BudgetState, spent: int, first_use: datetime | None, now: datetime, zone: Any) -> int | None:
    """What the period comes to: as forecast; until there is one, and where it is too old, at the budget's pace.

    None while that cannot be said.
    """
    if state.projected is not None and holds(state.projected_at, now):
        return max(state.projected, spent)
    return pace.expected(_period(state), spent, first_use, now, zone, state.budget.pace)


def _period(state: BudgetState) -> Period:
    return Period(state.period_start, state.period_end, state.starts_at, state.ends_at)


class _Paces:
    """The same for thousands of hours: budgets share periods, and what a pace needs of one is computed once."""

    def __init__(self, zone: Any) -> None:
        self._zone = zone
        self._shares: dict[tuple[Any, ...], pace.Shares] = {}

    def landing(self, state: BudgetState, spent: int, first_use: datetime, now: datetime) -> int | None:
        pattern, shares = state.budget.pace, None
        if pattern != Budget.Pace.EVEN:
            key = (pattern, state.period_start, state.period_end, now)
            shares = self._shares.get(key)
            if shares is None:
                shares = self._shares[key] = pace.Shares(_period(state), now, self._zone, pattern)
        starts, ends, seen_from, at = map(pace.microseconds, (state.starts_at, state.ends_at, first_use, now))
        return pace.expected_at(starts, ends, seen_from, at, spent, shares)


def _exceeds(state: BudgetState, comes_to: int, over_by: int, spent: int | None = None) -> bool:
    """And is not exceeded already: that is told by another rule."""
    used = state.spent if spent is None else spent
    return used < state.limit and comes_to > state.limit and comes_to * 100 >= state.limit * (100 + over_by)


def _states(rule: AlertRule) -> QuerySet[BudgetState]:
    rows = BudgetState.objects.filter(budget__status=Budget.Status.ACTIVE).select_related("budget")
    slug = rule.options.get("budget")
    return (rows.filter(budget__slug=slug) if slug else rows).order_by("pk")


def _step(states: Sequence[BudgetState], until: datetime) -> timedelta:
    """An hour, or a day where hours would be too many to read."""
    if not states:
        return HOUR
    hours = (until - min(state.starts_at for state in states)) // HOUR
    return HOUR if len({state.budget_id for state in states}) * hours <= MOST_HOURS else DAY


def _used(states: Sequence[BudgetState], until: datetime, step: timedelta) -> dict[int, list[tuple[datetime, int]]]:
    """What each budget used, step by step, in these periods."""
    found: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    if not states:
        return found
    rows = (
        BudgetSeries.objects.filter(
            budget__in={state.budget_id for state in states},
            bucket__gte=min(state.starts_at for state in states),
            bucket__lt=until,
        )
        .annotate(step=Trunc("bucket", "hour" if step == HOUR else "day", tzinfo=UTC))
        .values_list("budget_id", "step")
        .annotate(used=Sum("amount"))
        .order_by("step", "budget_id")[: MOST_HOURS + 1]
    )
    if len(rows) > MOST_HOURS:
        raise TooMuchHistory
    for budget, begins, used in rows:
        found[budget].append((begins, int(used)))
    return found


def _findings(rule: AlertRule, found: Iterable[tuple[BudgetState, int, int, datetime]]) -> list[Finding]:
    rows = list(found)
    teams = teams_of_budgets(state.budget for state, *_ in rows)
    made = [_finding(*row, teams.get(row[0].budget_id)) for row in rows]
    return [one for one in made if rule.team_id in (None, one.team_id)]


def _finding(state: BudgetState, spent: int, comes_to: int, at: datetime, team_id: int | None) -> Finding:
    budget = state.budget
    over_by = amount(comes_to - state.limit, budget.metric)
    return Finding(
        cause=cause_of("forecast", state.budget_id, state.period_start.isoformat(), state.limit_version),
        title=f"{over_by} over by {day(state.period_end)}: the budget {budget.name} is likely to exceed its limit.",
        happened_at=at,
        path=page("budget", budget.slug),
        amount=comes_to if budget.metric == MONEY else None,
        team_id=team_id,
        facts={
            "Budget": budget.name,
            "Used": amount(spent, budget.metric),
            "Expected": f"{amount(comes_to, budget.metric)} by {day(state.period_end)}",
            "Limit": amount(state.limit, budget.metric),
        },
        subject={"state": state.pk, "limit_version": state.limit_version},
    )
