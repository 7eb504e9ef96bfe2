"""All budgets as the Overview speaks of them: how many of each kind, and the few that it shows or names.

All are ranked by numbers alone; only those few are read in full.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from budgets.models import Budget, Organisation
from budgets.pages.ranking import Ranked, rank
from budgets.pages.standing import Standing
from budgets.pages.standings import standings, with_sparks
from reports.asking.window import Window

SHOWN = 8  # budgets on the Overview


@dataclass(frozen=True)
class Crowd:
    """`count` are all, `starting` those without figures yet; `live` are neither that nor paused.

    `over` ran out, `heading` are those that an even pace leads over their limit. `worst` is the first of those that ran
    out, the next of them in `second`; `leading` the first that heads over; `furthest` the one that heads over by most
    money, the plan apart; `closest` the riskiest of all that are live. `plan` covers everything over just the window.
    """

    count: int = 0
    starting: int = 0
    live: int = 0
    over: int = 0
    heading: int = 0
    shown: tuple[Standing, ...] = ()
    plan: Standing | None = None
    worst: Standing | None = None
    second: Standing | None = None
    leading: Standing | None = None
    furthest: Standing | None = None
    closest: Standing | None = None


def crowd(organisation: Organisation, window: Window, now: datetime) -> Crowd:
    """Seven statements, whatever the number of budgets."""
    everyone = Budget.objects.exclude(status=Budget.Status.ARCHIVED)
    ranked = rank(organisation, now, everyone)
    count = everyone.count()
    live = [one for one in ranked if not one.is_paused]
    over = [one for one in live if one.is_over]
    heading = [one for one in live if one.excess is not None and one.excess > 0]
    plan = _plan(live, window)
    worst = next((one for one in over if one.is_stopped), over[0] if over else None)
    named = {
        "plan": plan,
        "worst": worst,
        "second": next((one for one in over if one is not worst), None),
        "leading": heading[0] if heading else None,
        "furthest": _furthest(heading, plan),
        "closest": live[0] if live else None,
    }
    full = _in_full([*ranked[:SHOWN], *named.values()], organisation, now)
    shown = with_sparks([full[one.budget_id] for one in ranked[:SHOWN]], organisation, window.today)
    return Crowd(
        count=count,
        starting=count - len(ranked),
        live=len(live),
        over=len(over),
        heading=len(heading),
        shown=tuple(shown),
        **{name: full[one.budget_id] if one else None for name, one in named.items()},
    )


def _plan(live: Iterable[Ranked], window: Window) -> Ranked | None:
    """The budget of the whole organisation over exactly this period, where there is one; else nothing is a plan."""
    fits = [
        one
        for one in live
        if one.is_whole_organisation
        and one.metric == Budget.Metric.MONEY
        and (one.first, one.last) == (window.first, window.ends)
    ]
    return fits[0] if len(fits) == 1 else None


def _furthest(heading: Iterable[Ranked], plan: Ranked | None) -> Ranked | None:
    others = (one for one in heading if one is not plan and one.metric == Budget.Metric.MONEY)
    return max(others, key=lambda one: one.excess or 0, default=None)


def _in_full(ranked: Iterable[Ranked | None], organisation: Organisation, now: datetime) -> dict[int, Standing]:
    ids = {one.budget_id for one in ranked if one is not None}
    rows, _ = standings(organisation, now, Budget.objects.filter(pk__in=ids))
    return {row.budget_id: row for row in rows}
