"""Every budget by risk, without building each one's page: one statement and cheap arithmetic for thousands.

What a status means is said once, in `standing` and `pace`; here only the numbers that it takes are read.
"""

from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from budgets.limits.calendar import Period
from budgets.models import Budget, BudgetState, Organisation
from budgets.pages import pace
from budgets.pages.standing import risk_of, tone_of
from budgets.pages.standings import FIRST_USE, running

COLUMNS = (
    "budget_id", "budget__name", "budget__status", "budget__metric", "budget__on_exhausted", "budget__pace", "whole",
    "period_start", "period_end", "starts_at", "ends_at", "limit", "spent", "crossed", "status", "projected",
    "first_use",
)  # fmt: skip


class Ranked(NamedTuple):
    """A budget's place among all. Amounts are in its metric; `excess` as in `Standing`, None while too early."""

    risk: tuple[int, int, int]
    name: str
    budget_id: int
    tone: str
    is_paused: bool
    is_over: bool
    is_stopped: bool
    metric: str
    is_whole_organisation: bool
    first: date
    last: date
    excess: int | None

    @property
    def kind(self) -> str:
        """Which filter of the list it falls under: `paused`, `over`, `risk` or `ok`."""
        if self.is_paused:
            return "paused"
        if self.is_over:
            return "over"
        return "ok" if self.tone == "ok" else "risk"


def rank(organisation: Organisation, now: datetime, budgets: QuerySet[Budget]) -> list[Ranked]:
    """Those of the budgets whose period runs, the riskiest first. One statement."""
    rows = (
        running(now)
        .filter(budget__in=budgets.order_by().values("pk"))
        .annotate(whole=ExpressionWrapper(Q(budget__scope={}), BooleanField()), first_use=FIRST_USE)
        .values_list(*COLUMNS)
    )
    return sorted(_ranked(row, organisation.zone, now) for row in rows)


def _ranked(row: tuple[Any, ...], zone: ZoneInfo, now: datetime) -> Ranked:
    (budget_id, name, status, metric, action, pattern, whole, first, last, starts_at, ends_at,
     limit, spent, crossed, standing, projected, first_use) = row  # fmt: skip
    is_paused, is_over = status == Budget.Status.PAUSED, standing == BudgetState.Status.EXHAUSTED
    landing = projected
    if landing is None:
        landing = pace.expected(Period(first, last, starts_at, ends_at), spent, first_use, now, zone, pattern)
    return Ranked(
        risk=risk_of(is_paused, is_over, spent, limit, landing),
        name=name,
        budget_id=budget_id,
        tone=tone_of(is_paused, is_over, limit, landing, crossed),
        is_paused=is_paused,
        is_over=is_over,
        is_stopped=is_over and action == Budget.Action.BLOCK and not is_paused,
        metric=metric,
        is_whole_organisation=whole,
        first=first,
        last=last,
        excess=None if landing is None else landing - limit,
    )
