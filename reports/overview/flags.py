"""Unusual days of the chart. One statement."""

from budgets.limits.calendar import day_of
from budgets.pages.amounts import whole
from reports.asking.window import Window
from reports.models import Finding
from reports.overview.spend import Flag

MOST = 2
APART = 5  # days, so that two do not cover each other
OPEN = (Finding.State.OPEN, Finding.State.CHECKING)


def flags(window: Window) -> tuple[Flag, ...]:
    """The days on which most was spent above what is usual, of what nobody has explained yet."""
    rows = Finding.objects.filter(
        since__gte=window.starts_at, since__lt=window.stops_at, state__in=OPEN, dimension="workflow", amount__gt=0
    )
    found: list[Flag] = []
    for since, amount in rows.order_by("-amount", "pk").values_list("since", "amount")[: MOST * 4]:
        day = day_of(since, window.zone)
        if len(found) < MOST and all(abs((day - one.day).days) >= APART for one in found):
            found.append(Flag(day, f"Unusual: +{whole(amount or 0)}", f"+{whole(amount or 0)}"))
    return tuple(found)
