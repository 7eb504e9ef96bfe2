"""Budgets of the teams from the plan: one monthly budget each, of a month's planned amount."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from budgets.audit.record import Actor
from budgets.limits.bulk import told_in
from budgets.limits.edit import (
    BudgetValues,
    InvalidBudget,
    RefusedEdit,
    StaleEdit,
    change_budget,
    changing_pools_too,
    create_budget,
    values_of,
)
from budgets.models import AuditEntry, Budget, PlanLine, Team
from budgets.plan.year import month_words


@dataclass(frozen=True, slots=True)
class TeamBudget:
    """What the plan makes of one team's budget. `budget` None: it is made. `others`: more of its kind, left alone."""

    team: Team
    budget: Budget | None
    amount: int
    others: int = 0

    @property
    def is_change(self) -> bool:
        return self.budget is None or self.budget.amount != self.amount

    @property
    def name(self) -> str:
        return self.budget.name if self.budget else f"{self.team.name}, monthly"

    @property
    def mark(self) -> str:
        """What a preview saw: the same text as long as nothing of it changed."""
        version = f"{self.budget.pk}.{self.budget.edit_version}" if self.budget else "new"
        return f"{self.team.pk}:{version}:{self.amount}"


class PlanRefused(Exception):
    """Nothing was changed; the message says why, for a reader."""


def team_budgets(month: date) -> list[TeamBudget]:
    """For each team with a planned amount above zero in `month`, by name. Two statements."""
    lines = PlanLine.objects.filter(month=month, team__isnull=False, amount__gt=0).select_related("team")
    wanted = {line.team.slug: line for line in lines if line.team}
    found: dict[str, list[Budget]] = {}
    monthly = Budget.objects.exclude(status=Budget.Status.ARCHIVED).filter(
        metric=Budget.Metric.MONEY, period=Budget.Period.MONTH, scope__in=[{"team": slug} for slug in wanted]
    )
    for budget in monthly.order_by("pk"):
        found.setdefault(str(budget.scope["team"]), []).append(budget)
    rows = []
    for slug, line in sorted(wanted.items(), key=lambda pair: pair[1].team.name.casefold() if pair[1].team else ""):
        assert line.team is not None  # filtered above
        fits = found.get(slug, [])
        rows.append(TeamBudget(line.team, fits[0] if fits else None, line.amount, max(0, len(fits) - 1)))
    return rows


def make_team_budgets(actor: Actor, month: date, seen: Sequence[str]) -> list[AuditEntry]:
    """Make or change those budgets, all or none; `seen` are the marks of what was previewed. Raises PlanRefused.

    Answers with their rows of history, oldest first, by which `budgets.limits.bulk.undo` takes them back.
    """
    reason = f"From the plan of {month_words(month)}."
    actor = actor.in_one_act()
    with changing_pools_too():
        rows = team_budgets(month)
        if [row.mark for row in rows] != list(seen):
            raise PlanRefused("The plan or a budget changed since this preview. Nothing was changed; look at it anew.")
        return told_in(actor, [_make(actor, row, reason).pk for row in rows if row.is_change])


def _make(actor: Actor, row: TeamBudget, reason: str) -> Budget:
    try:
        if row.budget is None:
            return create_budget(actor, BudgetValues(row.name, row.amount, {"team": row.team.slug}), reason)
        return change_budget(actor, row.budget, replace(values_of(row.budget), amount=row.amount), reason)
    except (InvalidBudget, RefusedEdit, StaleEdit) as error:
        raise PlanRefused(f"{row.name}: {error} Nothing was changed.") from error
