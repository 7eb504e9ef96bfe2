"""Read what a report says: the view's own filters over the report's days, as its owner may see them now."""

from datetime import date, datetime
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from budgets.access.reachable import reachable
from budgets.access.roles import VIEW, reach
from budgets.limits.calendar import day_of
from budgets.models import Budget, Organisation
from budgets.pages.amounts import per_unit, whole
from budgets.pages.moments import span, span_year
from budgets.pages.standings import standings
from reports.asking.scope import DIMENSIONS, NAMES, Scope, scope_of
from reports.asking.window import Window, compared, of_days
from reports.figures.figures import Figures, figures
from reports.mailed.report import NO_PRICE, Change, Number, Report, Risk, most_changed, sentence_of, shortened
from reports.mailed.schedule import days_of
from reports.models import SavedView, Subscription
from reports.spend.naming import OTHERS, names_of
from reports.spend.sums import Used, spend
from usage.prices.known import known_cost

MOST_CHANGES, MOST_RISKS = 6, 8
CUT = "Only {} could be read: there are too many calls to read {} one by one. Fewer filters read all of it."
GROUP = "workflow"  # what a view that groups by nothing is shown by


def report_of(subscription: Subscription, day: date, now: datetime) -> Report:
    """The report that is due on `day`."""
    organisation = Organisation.get()
    today = day_of(now, organisation.zone)
    first, last = days_of(subscription.cadence == Subscription.Cadence.WEEKLY, day, today)
    return made(subscription.view, subscription.owner, of_days(first, last, today, organisation.zone), now)


def made(view: SavedView | None, owner: Any, window: Window, now: datetime) -> Report:
    """The report of a view over a window of complete days, as `owner` sees it.

    Where too many single calls would have to be read it is about the newest days, and says so.
    """
    query = QueryDict(view.query if view else "")
    scope, notes = scope_of(query, owner)
    asked = query.get("group", "")
    dimension = asked if asked in DIMENSIONS else GROUP
    here = spend(scope, window, (dimension,))
    if here.cut:
        whole_days, window = span_year(window.first, window.last), here.window
        notes = (*notes, CUT.format(span_year(window.first, window.last), whole_days))
    before = compared(window, "previous")
    then = spend(scope, before, (dimension,)) if before else None
    if then is not None and then.cut:
        before = then = None
    rows = _changes(scope, dimension, here.rows, then.rows if then else ())
    spent, spent_before = known_cost(here.total), known_cost(then.total) if then else None
    days, days_before = span_year(window.first, window.last), span(before.first, before.last) if before else ""
    found = figures(scope, window)
    was = figures(scope, before) if before else None
    return Report(
        name=view.name if view else "Everything" if reach(owner, VIEW).everything else "Your teams",
        days_words=days,
        sentence=sentence_of(spent, spent_before, days, days_before),
        numbers=_numbers(spent, spent_before, found, was),
        risks=_risks(owner, now),
        changes=most_changed(rows, MOST_CHANGES),
        rows=shortened(rows, OTHERS),
        dimension=NAMES[dimension],
        path=_path(view, scope, window, dimension),
        notes=notes,
    )


def _path(view: SavedView | None, scope: Scope, window: Window, dimension: str) -> str:
    """Where the same figures stand."""
    parts = [window.link, f"group={dimension}", scope.query()]
    path = view.path if view else reverse("spend")
    return f"{path}?{'&'.join(part for part in parts if part)}"


def _changes(scope: Scope, dimension: str, here: Any, then: Any) -> tuple[Change, ...]:
    """Each value of the dimension with what it cost in both windows, the dearest first."""
    sums: dict[str | None, list[Used]] = {}
    for place, rows in enumerate((here, then)):
        for row in rows:
            both = sums.setdefault(row.keys[0], [Used(), Used()])
            both[place] += row.used
    names = names_of(scope, {dimension: sums})
    found = [Change(names.of(dimension, key), *map(known_cost, both)) for key, both in sums.items()]
    some = (one for one in found if (one.spent, one.before) != (0, 0))
    return tuple(sorted(some, key=lambda one: (-(one.spent or 0), one.name)))


def _numbers(spent: int | None, before: int | None, found: Figures, was: Figures | None) -> tuple[Number, ...]:
    """Spent, cost per approved asset, premium share, calls."""
    return (
        Number(
            "Spent",
            NO_PRICE.capitalize() if spent is None else whole(spent),
            "" if before is None else f"{whole(before)} before",
        ),
        Number("Cost per approved asset", *_money(found, was, "cost_per_approved")),
        Number("Premium share", *_percent(found, was, "premium_share")),
        Number("Calls", f"{found.calls or 0:,}", f"{was.calls or 0:,} before" if was else ""),
    )


def _money(found: Figures, was: Figures | None, name: str) -> tuple[str, str]:
    now, then = found.value(name), was.value(name) if was else None
    said = f"{per_unit(round(then), 1)} before" if then is not None else ""
    return (per_unit(round(now), 1), said) if now is not None else ("Not known yet", found.why.get(name, ""))


def _percent(found: Figures, was: Figures | None, name: str) -> tuple[str, str]:
    now, then = found.value(name), was.value(name) if was else None
    said = f"{round(then * 100)}% before" if then is not None else ""
    return (f"{round(now * 100)}%", said) if now is not None else ("Not known yet", found.why.get(name, ""))


def _risks(owner: Any, now: datetime) -> tuple[Risk, ...]:
    """Budgets in the owner's reach that ran out or head over their limit, the riskiest first."""
    chosen = reachable(Budget.objects.exclude(status=Budget.Status.ARCHIVED), owner)
    rows, _ = standings(Organisation.get(), now, chosen)
    over = [one for one in rows if not one.is_paused and (one.is_over or (one.excess or 0) > 0)]
    return tuple(
        Risk(f"{one.name}: {one.spent_words}{'' if one.is_over else ', likely to go over'}", f"/budgets/{one.slug}/")
        for one in over[:MOST_RISKS]
    )
