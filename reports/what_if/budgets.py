"""Which budgets would break under a supposition, and from which day of their period."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from budgets.limits.scope import in_words
from budgets.models import Budget, BudgetState
from budgets.pages.standings import running, scope_names
from reports.what_if.suppose import DAYS, KNOWN, Supposition


@dataclass(frozen=True, slots=True)
class Broken:
    """A budget of money and a whole period of it, nano-dollars: as it is, and as supposed, every day alike.

    `before_on` and `on` are the days of the running period on which it would be used up; None: it lasts.
    """

    slug: str
    name: str
    covers: str
    limit: int
    first: date
    last: date
    before: int
    after: int
    before_on: date | None
    on: date | None

    @property
    def breaks(self) -> bool:
        return self.on is not None

    @property
    def newly(self) -> bool:
        """Whether only the supposition breaks it."""
        return self.on is not None and self.before_on is None


@dataclass(frozen=True, slots=True)
class Budgets:
    """`rows`: those that break first, the tightest before others. `unsaid`: names of budgets that cannot be told."""

    rows: tuple[Broken, ...]
    unsaid: tuple[str, ...]

    @property
    def broken(self) -> list[Broken]:
        return [row for row in self.rows if row.breaks]


def look(supposition: Supposition, budgets: Iterable[Budget], now: datetime) -> Budgets:
    """Each budget that counts money, by what it covers; five statements at most."""
    chosen = list(budgets)
    states = {one.budget_id: one for one in running(now).filter(budget__in=[one.pk for one in chosen])}
    names = scope_names(one.scope for one in chosen)
    rows, unsaid = [], []
    for budget in chosen:
        state = states.get(budget.pk)
        if budget.metric != Budget.Metric.MONEY or not set(budget.scope) <= KNOWN or state is None:
            unsaid.append(budget.name)
            continue
        before, after = supposition.covered(budget.scope)
        rows.append(_row(budget, state, before, after, in_words(budget.scope, names)))
    rows.sort(key=lambda row: (row.on or date.max, -(row.after - row.limit), row.name))
    return Budgets(tuple(rows), tuple(sorted(unsaid)))


def _row(budget: Budget, state: BudgetState, before: int, after: int, covers: str) -> Broken:
    length = (state.period_end - state.period_start).days + 1
    return Broken(
        slug=budget.slug,
        name=budget.name,
        covers=covers,
        limit=state.limit,
        first=state.period_start,
        last=state.period_end,
        before=before * length // DAYS,
        after=after * length // DAYS,
        before_on=breaks_on(state.limit, before, state.period_start, length),
        on=breaks_on(state.limit, after, state.period_start, length),
    )


def breaks_on(limit: int, month: int, first: date, length: int) -> date | None:
    """The day on which spending `month` in thirty days, every day alike, goes over the limit; None: it lasts."""
    if month <= 0 or month * length <= limit * DAYS:
        return None
    return first + timedelta(days=limit * DAYS // month)
