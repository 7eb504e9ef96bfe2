"""Where a running window leads: what is forecast for its days to come, and for all of it. One statement."""

from collections.abc import Sequence
from datetime import date

from budgets.pages.standing import Standing
from reports.asking.window import Window
from reports.models import Outlook
from reports.outlook.listing import STALE_AFTER
from reports.overview.spend import Ahead, DayAhead

Kind, Grain = Outlook.Kind, Outlook.Grain


def ahead(window: Window, plan: Standing | None, spent: int) -> Ahead | None:
    """As forecast for the budget that covers everything in just this window, else for the organisation.

    None where the window has ended, is not the period that is forecast, or nothing was forecast for days. Never below
    what is `spent` already.
    """
    if not window.runs or (plan is not None and not plan.is_forecast):
        return None
    of = (Kind.BUDGET, str(plan.budget_id)) if plan else (Kind.ORGANISATION, "")
    found = Outlook.objects.filter(kind=of[0], key=of[1], grain=Grain.DAY, period_first=window.first)
    found = found.filter(period_end=window.ends, made_for__gt=window.today - STALE_AFTER, made_for__lte=window.today)
    newest = found.order_by("-made_for").first()
    if newest is None or not newest.landing:
        return None
    middle, low, high = (max(spent, one) for one in newest.landing[:3])
    # One figure for one thing: a budget says itself where it leads.
    landing = plan.landing if plan and plan.landing is not None else middle
    return Ahead(landing, min(low, landing), max(high, landing), _days(newest.steps, newest.made_for, window))


def _days(steps: Sequence[Sequence[int]], made_for: date, window: Window) -> tuple[DayAhead, ...]:
    """None where the forecast does not reach the window's end."""
    many = (window.ends - window.today).days + 1
    left = steps[(window.today - made_for).days :][:many]
    return tuple(DayAhead(*numbers[:3]) for numbers in left) if len(left) == many else ()
