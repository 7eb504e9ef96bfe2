"""Every budget by risk, without building each one's page: one statement and cheap arithmetic for thousands.

What a status means is said once, in `standing` and `pace`; here only the numbers that it takes are read.
"""

from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, BooleanField, ExpressionWrapper, Func, Q, QuerySet

from budgets.limits.calendar import Period
from budgets.models import Budget, BudgetState, Organisation
from budgets.pages import pace
from budgets.pages.standing import FORECAST_HOLDS, risk_of, tone_of
from budgets.pages.standings import FIRST_USE, running

COLUMNS = (
    "budget_id", "budget__name", "budget__status", "budget__metric", "budget__on_exhausted", "budget__pace", "whole",
    "period_start", "period_end", "starts", "ends", "limit", "spent", "crossed", "status", "projected",
    "projected_most", "made_at", "seen_from",
)  # fmt: skip

HOLDS = FORECAST_HOLDS // pace.MICROSECOND


class Ranked(NamedTuple):
    """A budget's place among all. Amounts are in its metric; `excess` as in `Standing`, None while too early.

    `beyond` is how far what is spent, or what it comes to, is over the limit; below zero: under it.
    """

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
    beyond: int

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
        .annotate(
            whole=ExpressionWrapper(Q(budget__scope={}), BooleanField()),
            starts=Microseconds("starts_at"),
            ends=Microseconds("ends_at"),
            seen_from=Microseconds(FIRST_USE),
            made_at=Microseconds("projected_at"),
        )
        .values_list(*COLUMNS)
    )
    shares = AllShares(now, organisation.zone)
    return sorted(_ranked(row, shares) for row in rows)


class Microseconds(Func):
    """A moment as a whole number: reading one as a time costs as much as all the rest of a row."""

    template = "(extract(epoch FROM %(expressions)s) * 1000000)::bigint"
    output_field = BigIntegerField()


class AllShares:
    """The shares of each period and pace that is met, computed once."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        self.microseconds = pace.microseconds(now)
        self._now, self._zone = now, zone
        self._found: dict[tuple[Any, ...], pace.Shares] = {}

    def of(self, first: date, last: date, starts: int, ends: int, pattern: str) -> pace.Shares | None:
        """None for an even pace, which needs none."""
        if pattern == Budget.Pace.EVEN:
            return None
        key = (starts, ends, pattern)
        if key not in self._found:
            moments = (pace.EPOCH + one * pace.MICROSECOND for one in (starts, ends))
            self._found[key] = pace.Shares(Period(first, last, *moments), self._now, self._zone, pattern)
        return self._found[key]


def _ranked(row: tuple[Any, ...], shares: AllShares) -> Ranked:
    (budget_id, name, status, metric, action, pattern, whole, first, last, starts, ends,
     limit, spent, crossed, standing, projected, most, made_at, seen_from) = row  # fmt: skip
    is_paused, is_over = status == Budget.Status.PAUSED, standing == BudgetState.Status.EXHAUSTED
    landing = None
    if made_at is None or shares.microseconds - made_at > HOLDS:
        most = None
    else:
        landing = max(projected, spent)
        most = None if most is None else max(most, landing)
    if landing is None and seen_from is not None:
        found = shares.of(first, last, starts, ends, pattern)
        landing = pace.expected_at(starts, ends, seen_from, shares.microseconds, spent, found)
    return Ranked(
        risk=risk_of(is_paused, is_over, spent, limit, landing),
        name=name,
        budget_id=budget_id,
        tone=tone_of(is_paused, is_over, limit, landing, most, crossed),
        is_paused=is_paused,
        is_over=is_over,
        is_stopped=is_over and action == Budget.Action.BLOCK and not is_paused,
        metric=metric,
        is_whole_organisation=whole,
        first=first,
        last=last,
        excess=None if landing is None else landing - limit,
        beyond=max(spent, landing or 0) - limit,
    )
