"""A budget reached one of its warnings. What it reached is a crossing, written once by evaluation."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet

from budgets.alerts.earlier import earlier_crossings
from budgets.alerts.findings import Finding, Over, cause_of
from budgets.alerts.teams import teams_of_budgets
from budgets.alerts.trigger import Declared, Field, Kind
from budgets.limits import scope as scopes
from budgets.models import Alert, AlertRule, Budget, BudgetState, Crossing
from budgets.pages.amounts import MONEY, amount
from budgets.pages.moments import day, span_year

OVERLAP = 500  # of the newest crossings are looked at again: a rule may have been made while one was being told
BUDGET = Field("budget", "Which budget", Kind.BUDGET, "", required=False, help="Leave it empty for all budgets.")
PERCENT = Field(
    "percent",
    "From how much of its limit",
    Kind.WHOLE,
    80,
    required=False,
    most=1000,
    unit="%",
    help="A budget warns at the shares set on its own page. Leave it empty for each of them.",
)


class Thresholds(Declared):
    """Options: `percent` from which on its warnings are told (None: all), and the slug of one `budget` or ""."""

    key = "budget_threshold"
    words = "A budget reaches a warning"
    fields = (BUDGET, PERCENT)

    def sentence(self, options: Mapping[str, Any], team: str = "") -> str:
        which, percent = budget_in_words(options, team), options["percent"]
        warning = "one of its warnings" if percent is None else f"{percent}% of its limit"
        return f"Tell me when {which} reaches {warning}."

    def find(self, rule: AlertRule, now: datetime) -> list[Finding]:
        newest = Crossing.objects.aggregate(last=Max("pk"))["last"] or 0
        # By the database's clock, which may be ahead of this process's: what is not told is told, whatever `now` is.
        wanted = Q(told_at=None) | Q(pk__gt=newest - OVERLAP, raised_at__lte=now)
        return self._told(rule, Crossing.objects.filter(wanted, raised_at__gte=rule.since))

    def replay(self, rule: AlertRule, since: datetime, until: datetime) -> list[Finding]:
        """From the crossings as they were written when they came.

        And those that a budget made later would have had in the period before, with its thresholds of today.
        """
        written = self._told(rule, Crossing.objects.filter(raised_at__gte=since, raised_at__lt=until))
        percent = rule.options["percent"] or 0
        earlier = earlier_crossings(since, until, rule.options.get("budget") or "")
        return self._findings(rule, [one for one in earlier if one.threshold >= percent]) + written

    def over(self, rule: AlertRule, alerts: Sequence[Alert], now: datetime) -> list[Over]:
        """Back under after a top-up or a correction; or the period is over."""
        wanted = {_of(one): one for one in alerts if "budget_id" in _subject(one)}
        rows = Crossing.objects.filter(
            kind=Crossing.Kind.RESOLVED, budget__in={key[0] for key in wanted}
        ).select_related("budget")
        said = {}
        for row in rows:
            alert = wanted.get((row.budget_id, row.period_start.isoformat(), row.threshold, row.limit_version))
            if alert is not None:
                said[alert.cause] = f"{_spent(row)}: the budget {row.budget.name} is back under {row.threshold}%."
        ended = {
            (one.budget_id, one.period_start.isoformat()): one
            for one in BudgetState.objects.filter(
                budget__in={key[0] for key in wanted}, ends_at__lte=now
            ).select_related("budget")
        }
        for key, alert in wanted.items():
            state = ended.get(key[:2])
            if state is not None:
                period = span_year(state.period_start, state.period_end)
                said.setdefault(alert.cause, f"{_spent(state)}: {state.budget.name}, {period}, is over.")
        return [Over(cause, words) for cause, words in said.items()]

    def _told(self, rule: AlertRule, crossings: QuerySet[Crossing]) -> list[Finding]:
        rows = list(
            crossings.filter(
                kind=Crossing.Kind.CROSSED,
                threshold__gte=rule.options["percent"] or 0,
                **({"budget__slug": rule.options["budget"]} if rule.options.get("budget") else {}),
            )
            .select_related("budget")
            .order_by("pk")
        )
        return self._findings(rule, rows)

    def _findings(self, rule: AlertRule, rows: Sequence[Crossing]) -> list[Finding]:
        teams = teams_of_budgets(row.budget for row in rows)
        found = [_finding(row, teams.get(row.budget_id)) for row in rows]
        return [one for one in found if rule.team_id in (None, one.team_id)]


def budget_in_words(options: Mapping[str, Any], team: str) -> str:
    """ "the budget Translation", "any budget of Growth", "any budget"."""
    slug = options.get("budget")
    if slug:
        name = Budget.objects.filter(slug=slug).values_list("name", flat=True).first()
        return f"the budget {name or slug}"
    return f"any budget of {team}" if team else "any budget"


def _finding(row: Crossing, team_id: int | None) -> Finding:
    budget = row.budget
    covers = scopes.in_words(budget.scope)
    return Finding(
        cause=cause_of("budget", row.budget_id, row.period_start.isoformat(), row.threshold, row.limit_version),
        title=f"{_spent(row)}: the budget {budget.name} reached {row.threshold}% of its limit.",
        happened_at=row.raised_at,
        path=f"/budgets/{budget.slug}/",
        amount=row.spent if budget.metric == MONEY else None,
        team_id=team_id,
        facts={
            "Budget": budget.name,
            "Covers": covers,
            "Used": amount(row.spent, budget.metric),
            "Limit": amount(row.limit, budget.metric),
            "Warning at": f"{row.threshold}%",
            "Period from": day(row.period_start),
        },
        subject={
            "budget_id": row.budget_id,
            "period_start": row.period_start.isoformat(),
            "threshold": row.threshold,
            "limit_version": row.limit_version,
        },
    )


def _spent(row: Crossing | BudgetState) -> str:
    metric = row.budget.metric
    return f"{amount(row.spent, metric)} of {amount(row.limit, metric)}"


def _subject(alert: Alert) -> dict[str, Any]:
    found: dict[str, Any] = alert.facts.get("subject", {})
    return found


def _of(alert: Alert) -> tuple[int, str, int, int]:
    one = _subject(alert)
    return one["budget_id"], one["period_start"], one["threshold"], one["limit_version"]


def untold(limit: int = 5000) -> list[int]:
    """The crossings and resolutions that the rules have not all seen yet."""
    rows: Iterable[int] = Crossing.objects.filter(told_at=None).order_by("pk").values_list("pk", flat=True)[:limit]
    return list(rows)
