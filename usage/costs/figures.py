"""Other AI costs as figures beside metered spend: by team and month, by team and day, and for one scope in all.

Nano-dollars, credits below zero; `first` to `last` are days of the organisation's calendar, both included. A cost of a
workflow counts for its team where none is named. Removed ones do not count. One statement each.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from usage.costs.spread import by_day, by_month, within
from usage.models import OtherCost

Spread = Callable[[int, date, date, date, date], Iterator[tuple[date, int]]]


@dataclass(frozen=True, slots=True)
class Beside:
    """What other costs come to in a stretch of days, by kind, the largest first; `count` of them touch it."""

    total: int
    by_kind: tuple[tuple[str, int], ...]
    count: int


def during(first: date, last: date) -> QuerySet[OtherCost]:
    """The costs that count on any of these days."""
    return OtherCost.objects.filter(removed_at=None, first_day__lte=last, last_day__gte=first)


def other_costs_by_team_month(first: date, last: date) -> dict[tuple[str, date], int]:
    """(team's short name or "", first day of the month) → what of the costs falls on those of its days asked for."""
    return _spread(first, last, by_month)


def other_costs_by_team_day(first: date, last: date) -> dict[tuple[str, date], int]:
    """(team's short name or "", day) → cost."""
    return _spread(first, last, by_day)


def _spread(first: date, last: date, spread: Spread) -> dict[tuple[str, date], int]:
    sums: dict[tuple[str, date], int] = defaultdict(int)
    rows = during(first, last).annotate(owner=Coalesce("team__slug", "workflow__team__slug"))
    for team, cost, starts, ends in rows.order_by().values_list("owner", "cost", "first_day", "last_day"):
        for when, share in spread(cost, starts, ends, first, last):
            sums[team or "", when] += share
    return dict(sums)


def beside(first: date, last: date, scope: Mapping[str, str] | None = None) -> Beside | None:
    """For everything, a team or a workflow ({"team": …}, {"workflow": …}); None for scopes that costs do not know."""
    scope = scope or {}
    if set(scope) - {"team", "workflow"}:
        return None
    rows = during(first, last)
    if "team" in scope:
        rows = rows.filter(Q(team__slug=scope["team"]) | Q(team=None, workflow__team__slug=scope["team"]))
    if "workflow" in scope:
        name = scope["workflow"]
        rows = rows.filter(Q(workflow__slug=name) | Q(workflow__merged_into__slug=name))
    sums: dict[str, int] = defaultdict(int)
    count = 0
    for kind, cost, starts, ends in rows.order_by().values_list("kind", "cost", "first_day", "last_day"):
        sums[kind] += within(cost, starts, ends, first, last)
        count += 1
    ranked = sorted(sums.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    return Beside(sum(sums.values()), tuple(ranked), count)


def months_of(rows: QuerySet[OtherCost], first: date, last: date) -> dict[date, int]:
    """Month → what these costs come to in it."""
    sums: dict[date, int] = defaultdict(int)
    for cost, starts, ends in rows.order_by().values_list(F("cost"), "first_day", "last_day"):
        for month, share in by_month(cost, starts, ends, first, last):
            sums[month] += share
    return dict(sums)
