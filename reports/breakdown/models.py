"""What each model used of a budget in the period that runs. Its sum is what the budget's own page says was spent."""

from dataclasses import dataclass
from fractions import Fraction

from django.db.models import Sum

from budgets.models import Budget, Organisation
from budgets.pages.standing import Standing
from reports.breakdown.covered import MEASURE, covered


@dataclass(frozen=True)
class Share:
    """One model's part. `used` in the budget's metric; `unpriced` calls are not in it."""

    provider: str
    model: str
    used: int
    calls: int
    unpriced: int
    part: Fraction

    @property
    def width(self) -> str:
        """Of the bar, as an SVG length."""
        return f"{float(min(max(self.part, Fraction(0)), Fraction(1))) * 100:.1f}%"

    @property
    def percent(self) -> str:
        """Whole percents of what was spent; "under 1%" for what would round to nothing."""
        if self.used and abs(self.part) < Fraction(1, 200):
            return "under 1%"
        return f"{round(self.part * 100)}%"


@dataclass(frozen=True)
class Shares:
    """`rest` is what the budget has counted and the summaries not yet (negative the other way round).

    `held` is False where no summary holds what the budget covers; then there are no rows and all is in `rest`.
    """

    rows: tuple[Share, ...]
    rest: int
    spent: int
    calls: int
    held: bool


def shares_of(budget: Budget, standing: Standing, organisation: Organisation) -> Shares:
    """Two statements at most."""
    found = covered(dict(budget.scope), standing.first, standing.last, organisation)
    if found is None:
        return Shares((), standing.spent, standing.spent, standing.calls, held=False)
    sums = (
        found.order_by()
        .values_list("provider", "model")
        .annotate(used=Sum(MEASURE[budget.metric]), number=Sum("calls"), without=Sum("unpriced"))
    )
    rows = [
        Share(provider, model, int(used), int(calls), int(unpriced), Fraction(int(used), standing.spent or 1))
        for provider, model, used, calls, unpriced in sums
    ]
    rows.sort(key=lambda one: (-one.used, -one.calls, one.model, one.provider))
    rest = standing.spent - sum(one.used for one in rows)
    return Shares(tuple(rows), rest, standing.spent, standing.calls, held=True)
