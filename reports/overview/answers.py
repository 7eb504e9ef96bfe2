"""What is asked next, each answered in a sentence or two: what is not worth its money, which budget needs explaining,
and which changes would save most."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from budgets.models import Budget, Organisation, Workflow
from budgets.pages.amounts import whole
from budgets.pages.moments import span_year
from budgets.pages.ranking import rank
from reports.asking.window import Window
from reports.figures.arithmetic import compute
from reports.figures.reading import runs_of
from reports.figures.sums import Read, Went
from reports.savings import saying
from reports.savings.reading import newest_for

LEVERS = 3


@dataclass(frozen=True, slots=True)
class Blown:
    """A budget over its limit or heading over it, by most money of all."""

    slug: str
    name: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A lever and what it alone would have saved in thirty days, nano-dollars."""

    key: str
    name: str
    alone: int


@dataclass(frozen=True, slots=True)
class Saving:
    """What all levers together would have saved, in a sentence, and those that save most alone."""

    sentence: str
    changes: tuple[Change, ...]


def worth(window: Window) -> str:
    """Which workflows cost more than they earn, or spend without anything approved. Three statements."""
    went = {pk: one for pk, one in runs_of(window).items() if one.spent > 0}
    losing = sorted((pk for pk in went if 0 < went[pk].shipped_revenue < went[pk].spent), key=lambda pk: _gap(went[pk]))
    barren = sorted((pk for pk in went if went[pk].judged > 0 >= went[pk].approved), key=lambda pk: -went[pk].spent)
    names = dict(Workflow.objects.filter(pk__in=[*losing[:1], *barren[:1]]).values_list("pk", "name"))
    said = []
    if losing:
        one = went[losing[0]]
        said.append(f"{names[losing[0]]} brought in {whole(one.shipped_revenue)} and cost {whole(one.spent)}.")
        said += [_others(len(losing) - 1)] if len(losing) > 1 else []
    if barren:
        said.append(f"{names[barren[0]]} cost {whole(went[barren[0]].spent)} and nothing of it is approved.")
    if said:
        return " ".join(said)
    if any(one.shipped_revenue > 0 for one in went.values()):
        return "Every workflow that says what it brings in earns more than it costs."
    why = compute(Read(None, went=went)).why
    reason = why.get("cost_per_approved") or why.get("value_per_dollar")
    return f"It cannot be said: {reason or 'what runs of closed days brought in is less now'}."


def _gap(went: Went) -> int:
    return went.shipped_revenue - went.spent


def _others(many: int) -> str:
    return "1 more costs more than it earns." if many == 1 else f"{many:,} more cost more than they earn."


def blown(organisation: Organisation, now: datetime) -> Blown | None:
    """The money budget that is furthest over its limit, or heads furthest over it. Two statements."""
    money = Budget.objects.exclude(status=Budget.Status.ARCHIVED).filter(metric=Budget.Metric.MONEY)
    over = [one for one in rank(organisation, now, money) if one.beyond > 0 and not one.is_paused]
    if not over:
        return None
    first = max(over, key=lambda one: (one.beyond, -one.budget_id))
    budget = Budget.objects.get(pk=first.budget_id)
    return Blown(budget.slug, budget.name, first.is_over)


def saving(who: Any) -> Saving | None:
    """What the newest look at past calls found; None before the first. At most five statements."""
    reading = newest_for(who)
    if reading.run is None or reading.shown is None:
        return None
    days = span_year(reading.run.first_day, reading.run.last_day)
    rows = sorted((row for row in reading.shown.levers if row.alone > 0), key=lambda row: -row.alone)
    changes = tuple(Change(row.lever.key, row.lever.name, row.alone) for row in rows[:LEVERS])
    return Saving(saying.headline(reading.shown, days), changes)
