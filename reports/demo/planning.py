"""What surrounds the simulated usage: a pool, a plan, costs beside metered calls, currency rates, a calendar.

Amounts are ours and follow the budgets of `organisation`. Nothing here touches the ledger, so every total of metered
spend is what it is without it.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from budgets.activities.edit import create_activity
from budgets.activities.values import ActivityValues
from budgets.audit.record import Actor
from budgets.currency.rates import RateValues
from budgets.models import NANO, Budget, Team, Workflow
from budgets.plan.edit import PlanValue, set_lines
from budgets.plan.year import month_after
from budgets.pools.membership import join_pool, set_sharing
from reports.demo.story import Story
from usage.costs.edit import create_costs
from usage.costs.values import CostValues
from usage.rates.bringing import bring_rates

REASON: Final = "Demo data."
POOL: Final = "content-pool"
POOLED: Final = ("translation", "blog-and-seo-drafts")

# Dollars that a team plans for an ordinary month; None: what no team answers for.
PLANNED: Final = {
    "performance": 8_000, "content": 9_500, "support": 5_500, "brand": 4_000, "insights": 3_600, None: 1_000,
}  # fmt: skip
SEASON: Final = (90, 90, 100, 100, 100, 95, 90, 90, 100, 110, 125, 120)  # percent, January to December
PLAN_MONTHS: Final = 13
STEP: Final = 50  # dollars that plans are rounded to

# What a dollar bought on the first of a month, the newest first; then the same again.
RATES: Final = {"EUR": ("0.92", "0.9150", "0.91", "0.9250"), "GBP": ("0.79", "0.7850", "0.78", "0.7950")}
RATE_MONTHS: Final = 13  # so that what began a year ago has one


def plan_ahead(actor: Actor, story: Story) -> None:
    """Make all of it; within a change of configuration, after teams, workflows and budgets."""
    teams: dict[str, int] = dict(Team.objects.values_list("slug", "pk"))
    make_pool(actor)
    make_plan(actor, story, teams)
    bring_rates(actor, rates(story), REASON)
    create_costs(actor, costs(story, teams), REASON)
    for activity in activities(story, teams):
        create_activity(actor, activity, REASON)


def make_pool(actor: Actor) -> None:
    """The content team's budget is shared by its two workflows, by value weight and recent use."""
    pool = set_sharing(actor, Budget.objects.get(slug=POOL), Budget.Sharing.DEMAND.value, reason=REASON)
    for child in Budget.objects.filter(slug__in=POOLED).order_by("slug"):
        join_pool(actor, pool, child, reason=REASON)


def make_plan(actor: Actor, story: Story, teams: dict[str, int]) -> None:
    first = story.first_day.replace(day=1)
    months = [month_after(first, ahead) for ahead in range(PLAN_MONTHS)]
    values = [
        PlanValue(month, teams[slug] if slug else None, _planned(dollars, month) * NANO)
        for slug, dollars in PLANNED.items()
        for month in months
    ]
    set_lines(actor, values, REASON)


def _planned(dollars: int, month: date) -> int:
    return dollars * SEASON[month.month - 1] // 100 // STEP * STEP


def rates(story: Story) -> list[RateValues]:
    this = story.today.replace(day=1)
    return [
        RateValues(code, month_after(this, -ago), Decimal(known[ago % len(known)]), "Demo")
        for code, known in RATES.items()
        for ago in range(RATE_MONTHS)
    ]


def costs(story: Story, teams: dict[str, int]) -> list[CostValues]:
    """Seats of three months, a licence for a year in euros, one bill, and a credit."""
    this = story.today.replace(day=1)
    last, before = month_after(this, -1), month_after(this, -2)
    year = month_after(this, -3)
    workflow = Workflow.objects.get(slug="translation").pk

    def in_month(name: str, dollars: int, month: date, **more: object) -> CostValues:
        return CostValues(name, dollars * NANO, month, month_after(month, 1) - timedelta(days=1), **more)  # type: ignore[arg-type]  # fields by name

    return [
        *(in_month("Copydesk, 24 seats", 720, month, kind="seats", vendor="Copydesk", team_id=teams["performance"])
          for month in (before, last, this)),
        CostValues(
            "Translation memory, one year", 4_800 * NANO, year, month_after(year, 12) - timedelta(days=1),
            currency="EUR", vendor="Lingua Store", team_id=teams["content"], workflow_id=workflow,
            reference="LS-2207",
        ),
        in_month("Review of answers by a law firm", 1_500, last, kind="other", team_id=teams["support"]),
        in_month("Credit for committed use", 250, this, kind="credit", vendor="OpenAI"),
    ]  # fmt: skip


def activities(story: Story, teams: dict[str, int]) -> list[ActivityValues]:
    """The campaigns that usage follows, a launch to come, a night that repeats, quiet days."""
    found = [
        _days(story, f"{one.slug.replace('-', ' ').capitalize()} campaign", one.first, one.last,
              team_id=teams["performance"], factor=Decimal("1.25"))
        for one in story.campaigns
    ]  # fmt: skip
    soon = story.today + timedelta(days=17)
    quiet = story.today + timedelta(days=31)
    friday = story.today - timedelta(days=(story.today.weekday() - 4) % 7 + 7)
    night = ActivityValues(
        "Catalogue is translated overnight",
        datetime.combine(friday, time(22), story.zone),
        datetime.combine(friday + timedelta(days=1), time(5), story.zone),
        is_all_day=False,
        kind="batch",
        team_id=teams["content"],
        workflow_id=Workflow.objects.get(slug="translation").pk,
        recurrence="FREQ=WEEKLY",
    )
    return [
        *found,
        _days(story, "New collection goes live", soon, soon + timedelta(days=2), kind="launch", team_id=teams["brand"]),
        night,
        _days(story, "Company days", quiet, quiet + timedelta(days=1), kind="pause", expects="less"),
    ]


def _days(story: Story, name: str, first: date, last: date, **more: object) -> ActivityValues:
    """All day, both days included."""
    starts, ends = (datetime.combine(day, time(), story.zone) for day in (first, last + timedelta(days=1)))
    return ActivityValues(name, starts, ends, **more)  # type: ignore[arg-type]  # fields by name
