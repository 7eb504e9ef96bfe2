"""Make the simulated organisation in a demo database, once; remember in the history when and with which seed."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Max

from budgets.audit.record import Actor, record
from budgets.limits.edit import BudgetValues, change_budget, create_budget, values_of
from budgets.models import NANO, AuditEntry, Budget, BudgetState, Organisation, Team, Workflow
from budgets.organisation.closing import keep_books
from budgets.organisation.configuration import changing_configuration
from reports.demo import organisation
from reports.demo import parameters as facts
from reports.demo.organisation import DemoBudget
from reports.demo.planning import plan_ahead
from reports.demo.story import Story
from usage.models import IngestBatch, QuarterHour

SET_UP, LOADED = "demo set up", "demo history loaded"
ACTOR = Actor(None, "The demo", AuditEntry.Origin.COMMAND)
CENT = NANO // 100
CLOSED_FROM_DAY = 5  # the month before is closed on this day of a month


class NotADemo(Exception):
    """This database holds somebody's real data, or the process is not the demo's."""


@dataclass(frozen=True)
class Beginning:
    """When and how the demo was set up. History ends and live traffic begins at `until`."""

    story: Story
    until: datetime


def begin(seed: int, days: int, now: datetime) -> Beginning:
    """Set the organisation up, or find how it was set up before. NotADemo where there may be real data."""
    if not settings.DEMO:
        raise NotADemo(
            "Simulated traffic goes into a demo database only. Start it with `make demo`, or TOKENOPS_DEMO=1."
        )
    first = AuditEntry.objects.filter(act=SET_UP).order_by("id").first()
    if first is not None and first.after is not None:
        return remembered(first.after)
    if IngestBatch.objects.exists():
        raise NotADemo("This database holds usage already, and not the demo's. Nothing was written.")
    with changing_configuration():
        if AuditEntry.objects.filter(act=SET_UP).exists():  # another process was faster
            return begin(seed, days, now)
        return set_up(seed, days, now.replace(microsecond=0))


def remembered(after: dict[str, Any]) -> Beginning:
    """The beginning as the history tells it."""
    until = datetime.fromisoformat(after["until"])
    zone = ZoneInfo(after["time_zone"])
    return Beginning(Story(after["seed"], until.astimezone(zone).date(), zone, after["days"]), until)


def set_up(seed: int, days: int, now: datetime) -> Beginning:
    """Everything of the organisation but its usage; within a change of configuration."""
    row = Organisation.get()
    row.name, row.time_zone, row.is_demo = organisation.NAME, organisation.TIME_ZONE, True
    row.save(update_fields=["name", "time_zone", "is_demo"])
    people = make_people()
    make_workflows(people)
    for budget in organisation.BUDGETS:
        create_budget(ACTOR, stated(budget, people), "Demo data.")
    told = {"seed": seed, "days": days, "until": now.astimezone(UTC).isoformat(), "time_zone": organisation.TIME_ZONE}
    record(ACTOR, SET_UP, row, None, told, "Everything in this database is made up.")
    beginning = remembered(told)
    plan_ahead(ACTOR, beginning.story)
    return beginning


def make_people() -> dict[str, int]:
    """Username → id. Nobody of them can sign in."""
    users = get_user_model()
    ids = {}
    for person in organisation.PEOPLE:
        user, made = users.objects.get_or_create(
            username=person.username, defaults={"first_name": person.first_name, "last_name": person.last_name}
        )
        if made:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        ids[person.username] = user.pk
    return ids


def make_workflows(people: dict[str, int]) -> None:
    """Teams and the workflows that they own."""
    teams = {}
    for team in organisation.TEAMS:
        teams[team.slug], _ = Team.objects.get_or_create(
            slug=team.slug, defaults={"name": team.name, "cost_centre": team.cost_centre}
        )
    for one in organisation.WORKFLOWS:
        Workflow.objects.update_or_create(
            slug=one.slug,
            defaults={
                "name": one.name,
                "status": Workflow.Status.PRODUCTION,
                "team": teams[one.team],
                "owner_id": people[one.owner],
                "default_tier": one.default_tier,
                "value_weight": Decimal(one.value_weight),
                "risk_categories": list(one.risk_categories),
                "guardrails": organisation.LIMITS,
            },
        )


def stated(budget: DemoBudget, people: dict[str, int]) -> BudgetValues:
    return BudgetValues(
        name=budget.name,
        amount=budget.amount * NANO,
        scope=budget.scope,
        period=budget.period,
        thresholds=budget.thresholds,
        on_exhausted=budget.on_exhausted,
        action_settings=budget.settings or {},
        pace=budget.pace,
        owner_id=people[budget.owner],
        slug=budget.slug,
    )


def close_last_month(beginning: Beginning) -> bool:
    """Close the month before, as finance would by the fifth. Whether it is closed now."""
    first = beginning.story.today.replace(day=1)
    row = Organisation.get()
    if row.closed_before is not None and row.closed_before >= first:
        return True
    if beginning.story.today.day < CLOSED_FROM_DAY:
        return False
    with changing_configuration():
        was = row.closed_before
        before = {"closed_before": was and was.isoformat()}
        row.closed_before = first
        row.save(update_fields=["closed_before"])
        keep_books(row, was and was.replace(day=1))
        record(ACTOR, "closed month", row, before, {"closed_before": first.isoformat()}, "Demo data.")
    return True


def is_loaded() -> bool:
    return AuditEntry.objects.filter(act=LOADED).exists()


def remember_loaded(calls: int) -> None:
    record(ACTOR, LOADED, Organisation.get(), None, {"calls": calls})


def last_usage() -> datetime | None:
    """Until when there is usage, to a quarter of an hour; from the rollups, so folding may lag behind."""
    bucket: datetime | None = QuarterHour.objects.aggregate(last=Max("bucket"))["last"]
    return None if bucket is None else bucket + timedelta(minutes=15)


def watched_amount() -> int:
    """Nano-dollars that the watched workflow spends in the seconds its budget is meant to last."""
    a_call = (
        facts.LIVE_WATCH_PROMPT * facts.SONNET_INPUT + facts.LIVE_WATCH_ANSWER * facts.SONNET_OUTPUT
    )  # 1e-6 dollars
    calls = facts.LIVE_PER_SECOND * facts.LIVE_WATCH_SHARE * facts.LIVE_BUDGET_SECONDS
    return round(calls * a_call / 1e6 * 100) * CENT


def refill_watched(beginning: Beginning) -> Budget:
    """Give the watched budget enough for another minute or two of live traffic, so that each start shows it run out."""
    budget = Budget.objects.filter(slug=organisation.WATCHED_BUDGET.slug).first()
    if budget is None:
        owner = get_user_model().objects.get(username=organisation.WATCHED_BUDGET.owner)
        values = replace(stated(organisation.WATCHED_BUDGET, {owner.username: owner.pk}), amount=watched_amount())
        return create_budget(ACTOR, values, "Demo data: small, so that it runs out before your eyes.")
    if budget.status != Budget.Status.ACTIVE:
        return budget
    today = datetime.now(beginning.story.zone).date()
    state = BudgetState.objects.filter(budget=budget, period_start=today).first()
    spent = state.spent if state else 0
    if budget.amount - spent >= watched_amount() // 2:
        return budget
    amount = -(-(spent + watched_amount()) // CENT) * CENT
    return change_budget(
        ACTOR, budget, replace(values_of(budget), amount=amount), "Demo: enough to see it run out again."
    )
