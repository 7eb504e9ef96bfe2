"""Read the Overview's figures from rollups and budget states: a fixed number of statements, never the ledger.

Page, table and the chart's JSON are of one `Spend`; the CSV also tells tiers apart, from the days that those sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from django.db.models import Max, Min, Q, Sum
from django.db.models.functions import Coalesce

from budgets.limits.calendar import DAY, day_starts_at
from budgets.models import UNASSIGNED, BudgetState, Organisation, Workflow
from budgets.pages import pace
from budgets.pages.standing import Standing
from reports.asking.window import Window
from reports.figures.sums import Used
from reports.overview.ahead import ahead
from reports.overview.assets import Assets, assets
from reports.overview.crowd import Crowd, crowd
from reports.overview.flags import flags
from reports.overview.spend import Ahead, DayModel, DayTier, Flag, ModelUse, Spend, TierUse, most_used, shape
from usage.models import IngestBatch, QuarterHour
from usage.prices.colours import colours_of
from usage.prices.known import known_cost
from usage.rollups.days import models_and_tiers, models_by_day, tiers_by_day

QUIET_AFTER = timedelta(minutes=60)
BEHIND_AFTER = timedelta(seconds=60)


@dataclass(frozen=True)
class Unclaimed:
    """Spend of workflows that nobody claimed, what the largest of them are called, and if some came without a name.

    `cost` is None where none of it has a price.
    """

    cost: int | None
    calls: int
    names: tuple[str, ...]
    some_nameless: bool


@dataclass(frozen=True)
class Freshness:
    """When usage last arrived, when it was last summed, and how many events wait to be."""

    arrived_at: datetime | None
    folded_at: datetime | None
    waiting: int
    waiting_since: datetime | None

    def is_quiet(self, now: datetime) -> bool:
        """Nothing has arrived for a while, though it did before."""
        return self.arrived_at is not None and now - self.arrived_at > QUIET_AFTER

    def is_behind(self, now: datetime) -> bool:
        return self.waiting_since is not None and now - self.waiting_since > BEHIND_AFTER


@dataclass(frozen=True)
class Overview:
    """Everything the page shows. `landing` is None where it cannot be said yet; `plan` where no budget covers all.

    `ahead` is what is forecast; without it a landing is where an even pace leads.
    """

    spend: Spend
    before: tuple[int, ...]
    landing: int | None
    ahead: Ahead | None
    assets: Assets
    flags: tuple[Flag, ...]
    crowd: Crowd
    unclaimed: Unclaimed | None
    paused: tuple[Workflow, ...]
    freshness: Freshness

    @property
    def plan(self) -> Standing | None:
        return self.crowd.plan

    @property
    def how(self) -> str:
        """What the landing rests on: "As forecast", "At an even pace"."""
        return "As forecast" if self.ahead or (self.plan and self.plan.is_forecast) else "At an even pace"


def day_tiers(window: Window) -> list[DayTier]:
    """Cost, calls and what has no price, per day of the organisation's zone, model and tier. One statement."""
    return [DayTier(*row) for row in tiers_by_day(window.first, window.last, window.zone)]


def spend_and_before(window: Window) -> tuple[Spend, tuple[int, ...]]:
    """The window's spend, with a series for each model most used, and the cost of the days before, see below.

    Two statements, and one for the colours.
    """
    used = models_and_tiers(window.first, window.last, window.zone)
    models = [ModelUse(name, cost, priced, unpriced) for of, name, cost, priced, _, unpriced in used if of == "model"]
    tiers = [TierUse(int(number), cost, calls) for of, number, cost, _, calls, _ in used if of == "tier"]
    named = most_used(models)
    rows = [DayModel(*row) for row in models_by_day(window.before, window.last, window.zone, named)]
    counted = [row for row in rows if row.day >= window.first]
    return shape(window, models, tiers, counted, colours_of(named)), cost_by_day_before(window, rows)


def cost_by_day_before(window: Window, rows: Sequence[DayModel]) -> tuple[int, ...]:
    """The cost of each complete day compared with, oldest first; none where no day is complete."""
    days = (window.before_last - window.before).days + 1
    if window.complete_days <= 0 or days <= 0:
        return ()
    costs = [0] * days
    for row in rows:
        if row.day <= window.before_last:
            costs[(row.day - window.before).days] += row.cost
    return tuple(costs)


def unclaimed(window: Window) -> Unclaimed | None:
    """What workflows that nobody claimed used in the window; None where there is none. Two statements."""
    unowned = [Workflow.Status.RESERVED, Workflow.Status.DISCOVERED]
    # What is merged is as unclaimed as what it counts under.
    nobodys = Workflow.objects.filter(Q(status__in=unowned) | Q(merged_into__status__in=unowned))
    rows = list(
        QuarterHour.objects.filter(
            bucket__gte=window.starts_at, bucket__lt=window.stops_at, workflow_id__in=nobodys.values("pk")
        )
        .values_list("workflow_id")
        .annotate(total=Sum("cost"), count=Sum("calls"), free=Sum("unpriced"), dark=Sum("unmeasured"))
        .order_by("-total")
    )
    if not rows:
        return None
    largest = [pk for pk, *_ in rows[:3]]
    stated = nobodys.filter(pk__in=largest).annotate(
        of_slug=Coalesce("merged_into__slug", "slug"), of_name=Coalesce("merged_into__name", "name")
    )
    known = {pk: (slug, name) for pk, slug, name in stated.values_list("pk", "of_slug", "of_name")}
    cost, calls, free, dark = (int(sum(column)) for column in zip(*(row[1:] for row in rows), strict=True))
    return Unclaimed(
        cost=known_cost(Used(cost=cost, calls=calls, unpriced=free, unmeasured=dark)),
        calls=calls,
        names=tuple(dict.fromkeys(known[pk][1] for pk in largest if pk in known and known[pk][0] != UNASSIGNED)),
        some_nameless=any(slug == UNASSIGNED for slug, _ in known.values()),
    )


def freshness() -> Freshness:
    """Two statements, both by the batches' indexes."""
    newest = IngestBatch.objects.order_by("-pk").values_list("received_at", "folded_at").first()
    waiting = IngestBatch.objects.filter(folded_at__isnull=True).aggregate(
        events=Sum("events"), since=Min("received_at")
    )
    arrived, folded = newest or (None, None)
    if newest and folded is None:
        folded = (
            IngestBatch.objects.filter(folded_at__isnull=False)
            .order_by("-pk")
            .values_list("folded_at", flat=True)
            .first()
        )
    return Freshness(arrived, folded, int(waiting["events"] or 0), waiting["since"])


def landing(window: Window, spent: int, now: datetime) -> int | None:
    """What the window's spend comes to by its last day at an even pace since its first use. One statement."""
    if not window.runs:
        return None
    first_use = QuarterHour.objects.aggregate(first=Min("bucket"))["first"]
    starts, ends = window.starts_at, day_starts_at(window.ends + DAY, window.zone)
    if first_use is None or not pace.seen_enough(first_use, starts, ends, now):
        return None
    length = (ends - starts) // timedelta(seconds=1)

    def share(when: datetime) -> Fraction:
        return Fraction((when - starts) // timedelta(seconds=1), length)

    return pace.landing(spent, share(now), share(max(first_use, starts)))


def overview(organisation: Organisation, window: Window, now: datetime) -> Overview:
    """All figures of the page, read at one moment."""
    spend, before = spend_and_before(window)
    budgets = crowd(organisation, window, now)
    plan, leads = budgets.plan, ahead(window, budgets.plan, spend.total)
    even = landing(window, spend.total, now) if known_cost(spend.used) is not None else None
    return Overview(
        spend=spend,
        before=before,
        # One figure for one thing: where a budget covers all, it says itself where it leads.
        landing=plan.landing if plan else leads.landing if leads else even,
        ahead=leads,
        assets=assets(window, spend),
        flags=flags(window),
        crowd=budgets,
        unclaimed=unclaimed(window),
        paused=tuple(Workflow.objects.filter(paused_at__isnull=False).order_by("name")[:20]),
        freshness=freshness(),
    )


def change_mark(organisation: Organisation, now: datetime) -> str:
    """A text that changes when any figure of the page may have: summed batches, budget states, configuration, minute.

    Three cheap statements, so that a page that asks every few seconds costs little while nothing changes.
    """
    folded = IngestBatch.objects.filter(folded_at__isnull=False).order_by("-pk").values_list("pk", "folded_at").first()
    waiting = IngestBatch.objects.filter(folded_at__isnull=True).aggregate(last=Max("pk"))["last"]
    states = BudgetState.objects.filter(ends_at__gt=now).aggregate(last=Max("updated_at"))["last"]
    stamp = f"{states.timestamp():.3f}" if states else "-"
    return f"{folded[0] if folded else 0}.{waiting or 0}.{stamp}.{organisation.generation}.{int(now.timestamp()) // 60}"
