"""Why spend differs: the difference of two times, and of a budget and its plan, is that of the plain sums."""

from datetime import date
from fractions import Fraction
from typing import Any

from tests.totals.behind import compare_behind
from tests.totals.budgets import rows_of, runs
from tests.totals.company import live_budgets
from tests.totals.compare import Comparison
from tests.totals.plain_sum import DAY, month_before, total
from tests.totals.planning import month_end

NANO = 10**9
EACH = 3  # of the budgets one in so many is asked
FILTERS: dict[str, dict[str, Any]] = {
    "": {},
    "workflow=briefs": {"slug": "briefs"},
    "team=growth": {"team": "growth"},
    "model=m-large": {"model": "m-large"},
    "user=ada": {"user_name": "ada"},
    "environment=staging": {"environment": "staging"},
    "tier=3": {"tier": 3},
}


def compare_why(c: Comparison) -> None:
    this = c.today.replace(day=1)
    last = month_before(this)
    spans = [
        (f"period=custom&from={this}&to={c.today}&before-from={last}&before-to={month_end(last)}",
         (this, c.today), (last, month_end(last))),
        (f"period=custom&from={last}&to={c.today}&before-from={c.today - 9 * DAY}&before-to={c.today - 2 * DAY}",
         (last, c.today), (c.today - 9 * DAY, c.today - 2 * DAY)),
    ]  # fmt: skip
    for query, after, before in spans:
        for asked, same in FILTERS.items():
            _compare(c, f"{query}&{asked}".rstrip("&"), after, before, same)
    _budgets(c)


def _compare(
    c: Comparison, query: str, after: tuple[date, date], before: tuple[date, date], same: dict[str, Any]
) -> None:
    sums = [total(c.books.between(*days, **same)) for days in (before, after)]
    where, difference = f"Why, {query}", sums[1] - sums[0]
    found = c.json(f"/series/spend-why.json?{query}")["figures"]
    for name, expected in (("before", sums[0]), ("after", sums[1]), ("difference", difference)):
        c.money(f"{where}: {name}", found[name], expected)
    lines = c.csv(f"/export/spend-why.csv?{query}")
    c.same(f"{where}: CSV", [one["amount"] for one in lines], [one["amount"] for one in found["parts"]])
    # Each part of another currency is rounded to nine decimals; in dollars they sum exactly.
    rounded = 0 if c.shown.code == "USD" else Fraction(len(lines) + 1, NANO)
    missing = sum(Fraction(one["amount"]) for one in lines) - c.shown.units(difference)
    c.same(f"{where}: parts", abs(missing) <= rounded, True)
    compare_behind(c, where, found["parts"], [c.books.between(*days, **same) for days in (before, after)])


def _budgets(c: Comparison) -> None:
    """What some have used is what their pages say; the parts sum to what that is more than the plan, or than before."""
    for budget in [one for one in live_budgets() if runs(c, one)][::EACH]:
        for against in ("plan", "before"):
            found = c.json(f"/series/budgets/{budget.slug}/why.json?against={against}")["figures"]
            where = f"Why, budget {budget.slug}, {against}"
            c.amount(f"{where}: used", str(found["after"]), total(rows_of(c, budget), budget.metric), budget.metric)
            money = budget.metric == "money" and c.shown.code != "USD"
            rounded = Fraction(len(found["parts"]) + 2, NANO) if money else 0
            missing = sum(Fraction(one["amount"]) for one in found["parts"]) - Fraction(found["difference"])
            c.same(f"{where}: parts", abs(missing) <= rounded, True)
            missing = Fraction(found["difference"]) - Fraction(found["after"]) + Fraction(found["before"])
            c.same(f"{where}: difference", abs(missing) <= rounded, True)
