"""A budget's use against its plan, or against the period before: the same parts, and what the plan itself does."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from budgets.limits.calendar import DAY, Period, day_of, day_starts_at, previous_period
from budgets.models import Budget, Organisation
from budgets.pages.amounts import amount
from budgets.pages.moments import day, span_year
from budgets.pages.standing import Standing
from reports.asking.scope import Scope
from reports.why.behind import Span
from reports.why.explain import Explanation, Part, explain
from reports.why.saying import LABELS, headline

PLAN, BEFORE = "plan", "before"
AGAINST = {PLAN: "its plan", BEFORE: "the time before"}


@dataclass(frozen=True)
class Overrun:
    """`plan`: the whole limit once it is used up, else its share of the time that has gone. In the budget's metric.

    `before` are the instants compared with, `before_words` their days.
    """

    explanation: Explanation
    plan: int
    is_whole: bool
    before: Span
    before_words: str


def overrun(
    budget: Budget,
    standing: Standing,
    organisation: Organisation,
    now: datetime,
    against: str = PLAN,
    named: frozenset[int] | None = None,
) -> Overrun:
    """Why the budget stands where it does in the period that runs. As many statements as `explain` has.

    A team's budget counts what names the team, also in workflows that are not its own: `named` as in `explain`.
    """
    zone, first, last = organisation.zone, standing.first, standing.last
    period = Period(first, last, day_starts_at(first, zone), day_starts_at(last + DAY, zone))
    whole = standing.is_over
    before = before_of(budget, period, organisation, now, whole)
    words = span_year(*(organisation.local(at).date() for at in (before[0], before[1] - timedelta(microseconds=1))))
    found = explain(
        scope_of(budget),
        before,
        (period.starts_at, min(max(now, period.starts_at + timedelta(microseconds=1)), period.ends_at)),
        measure=budget.metric,
        than=words,
        named=named,
    )
    plan = standing.limit if whole else standing.limit * standing.share.numerator // standing.share.denominator
    parts = list(found.parts)
    if pending := standing.spent - found.after:
        said = "The budget and the single calls were read a moment apart."
        parts.append(Part("pending", LABELS["pending"], pending, said))
    total = standing.spent - found.before
    than = words
    if against == PLAN:
        parts += _off_plan(found, plan, words)
        total = standing.spent - plan
        than = (
            f"the limit of {amount(plan, budget.metric)}"
            if whole
            else f"the plan of {amount(plan, budget.metric)} up to {day(day_of(now, zone))}"
        )
    explanation = replace(
        found,
        parts=tuple(parts),
        total=total,
        before=plan if against == PLAN else found.before,
        after=standing.spent,
        sentence=headline(total, {one.key: one.amount for one in parts}, than, budget.metric),
    )
    return Overrun(explanation, plan, whole, before, words)


def _off_plan(found: Explanation, plan: int, words: str) -> list[Part]:
    """What the days compared with were above or below the plan themselves; their calls are behind it."""
    gap, measure = found.before - plan, found.measure
    if not gap:
        return []
    side = "above" if gap > 0 else "below"
    said = f"{words} used {amount(found.before, measure)}, which is {side} the plan of {amount(plan, measure)}."
    return [Part("plan", LABELS["plan"], gap, said, before=found.all_before)]


def scope_of(budget: Budget) -> Scope:
    """What the budget covers, as the explorer asks for it."""
    scope = Scope()
    for name, value in budget.scope.items():
        scope = scope.only(name, str(value))
    return scope


def before_of(budget: Budget, period: Period, organisation: Organisation, now: datetime, whole: bool) -> Span:
    """The period before: all of it, or as far into it as `now` is into this one. For fixed dates, as many days before.

    A shorter period before is taken to its end.
    """
    zone = organisation.zone
    known = previous_period(budget.period, period, zone, organisation.fiscal_year_starts)
    first = known.first if known else period.first - (period.last - period.first + DAY)
    ends = known.ends_at if known else period.starts_at
    starts = day_starts_at(first, zone)
    if whole:
        return starts, ends
    today = day_of(now, zone)
    same = day_starts_at(first + (today - period.first), zone) + (now - day_starts_at(today, zone))
    return starts, min(max(same, starts + timedelta(microseconds=1)), ends)
