"""Read what a bundle says from the database; the caller holds the snapshot that makes it one moment."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from budgets.limits.calendar import Period, day_of, period_bounds
from budgets.models import Budget, BudgetState, Grant, GrantRun, StoppedRun, Workflow
from budgets.models import Organisation as OrganisationRow
from budgets.workflows.guardrails import known
from budgets.workflows.stopping import MOST
from routing.bundle import content as say
from routing.bundle import policy_part
from routing.bundle.canonical import exact
from routing.models import Tier
from usage.models import PriceEntry
from usage.prices import book

STANDARD = "standard"
RUNS_NAMED = 200  # of a grant that takes no new ones: the latest may go on


def read_content(organisation: OrganisationRow, now: datetime | None = None) -> say.Content:
    """All of it, as of `now` (aware)."""
    now = now or timezone.now()
    prices = listed_prices(organisation.generation, now)
    tiers = policy_part.read_tiers(prices)
    snippets, allowed = policy_part.read_snippets()
    workflows = list(listed_workflows())
    budgets = read_budgets(organisation, now)
    return say.Content(
        audience=settings.BUNDLE_AUDIENCE,
        organisation=say.Organisation(
            time_zone=organisation.time_zone,
            currency=organisation.currency,
            fiscal_year_starts=organisation.fiscal_year_starts,
            utc_offsets=policy_part.utc_offsets(organisation.zone, now),
        ),
        fail_mode=settings.BUNDLE_FAIL_MODE,
        default_tier=tiers[0].number if tiers else None,
        tiers=tiers,
        policy=policy_part.read_policy(),
        snippets=snippets,
        workflows={workflow.slug: workflow_content(workflow, allowed) for workflow in workflows},
        budgets=budgets,
        blocked=[
            *paused(workflows),
            *stopped(now, aliases_of(workflows)),
            *exhausted(budgets, aliases_of(workflows)),
        ],
        grants=read_grants(now, aliases_of(workflows)),
        prices=[price_content(*named, entry) for named, entry in sorted(prices.items(), key=lambda one: one[0])],
    )


def listed_workflows() -> Iterable[Workflow]:
    """Those that somebody answers for or that were paused, and other names of such ones.

    A discovered one is left out: nothing is configured for it, and senders who make slugs up must not make revisions.
    """
    unclaimed = Q(status__in=[Workflow.Status.DISCOVERED, Workflow.Status.IGNORED], paused_at=None)
    return Workflow.objects.exclude(unclaimed).select_related("team", "merged_into__team").order_by("slug")


def aliases_of(workflows: Iterable[Workflow]) -> dict[str, list[str]]:
    """Slug → the other slugs that count as it."""
    found: dict[str, list[str]] = defaultdict(list)
    for workflow in workflows:
        if workflow.merged_into:
            found[workflow.merged_into.slug].append(workflow.slug)
    return found


def workflow_content(named: Workflow, snippets: Mapping[int, list[str]] = MappingProxyType({})) -> say.WorkflowContent:
    """What the free-form columns hold beside their kind is left out: it must not keep a kill switch from everybody.

    A merged one says what holds for the workflow that its calls count as.
    """
    workflow = named.merged_into or named
    risks, guardrails = workflow.risk_categories, workflow.guardrails
    return say.WorkflowContent(
        status=named.status,
        team=workflow.team.slug if workflow.team else None,
        default_tier=workflow.default_tier,
        value_weight=say.decimal_text(Decimal(workflow.value_weight)),
        risk_categories=[str(risk) for risk in risks] if isinstance(risks, list) else [],
        guardrails=known(exact(guardrails)) if isinstance(guardrails, dict) else {},
        paused=workflow.paused_at is not None,
        snippets=snippets.get(workflow.pk, []),
        merged_into=named.merged_into.slug if named.merged_into else None,
    )


def paused(workflows: Iterable[Workflow]) -> list[say.Blocked]:
    """The kill switches that are thrown, for every name that a workflow goes by."""
    return [
        say.Blocked(
            scope={"workflow": named.slug},
            code="workflow_paused",
            reason=workflow.pause_reason or f"{workflow.name} is paused.",
            until=None,
        )
        for named in workflows
        if (workflow := named.merged_into or named).paused_at
    ]


def stopped(now: datetime, aliases: Mapping[str, list[str]] = MappingProxyType({})) -> list[say.Blocked]:
    """Runs that were stopped, for every name that their workflow goes by; no more than may be stopped at a time."""
    newest = StoppedRun.objects.in_force(now).select_related("workflow__merged_into").order_by("-stopped_at", "-pk")
    stops = [(stop.workflow.merged_into or stop.workflow, stop) for stop in newest[:MOST]]
    return [
        say.Blocked(
            scope={"workflow": name, "run": stop.run_id},
            code="run_stopped",
            reason=stop.reason or f"Somebody stopped this run of {row.name}.",
            until=say.instant(stop.ends_at),
            finding=stop.finding,
        )
        for row, stop in sorted(stops, key=lambda one: (one[0].slug, one[1].run_id))
        for name in (row.slug, *aliases.get(row.slug, ()))
    ]


def exhausted(
    budgets: Iterable[say.BudgetContent], aliases: Mapping[str, list[str]] = MappingProxyType({})
) -> list[say.Blocked]:
    """What exhausted budgets stop, for every name that a workflow goes by: callers match names, not aliases."""
    return [
        say.Blocked(
            scope=scope,
            code="budget_exhausted",
            reason=f"The budget {budget.name} is used up.",
            until=budget.ends_at,
        )
        for budget in budgets
        if budget.status == BudgetState.Status.EXHAUSTED and budget.on_exhausted == Budget.Action.BLOCK
        for scope in (
            budget.scope,
            *({**budget.scope, "workflow": alias} for alias in aliases.get(budget.scope.get("workflow", ""), ())),
        )
    ]


def read_budgets(organisation: OrganisationRow, now: datetime) -> list[say.BudgetContent]:
    """Active budgets whose period runs now. One without a state is untouched; a paused one says nothing."""
    states = {state.budget_id: state for state in BudgetState.objects.filter(starts_at__lte=now, ends_at__gt=now)}
    told = []
    for budget in Budget.objects.filter(status=Budget.Status.ACTIVE).order_by("slug"):
        period = current_period(budget, organisation, now)
        if period.contains(now):
            state = states.get(budget.pk)
            # A state of another period shape is from before an edit, and about to be replaced.
            told.append(budget_content(budget, period, state if state and state.period_start == period.first else None))
    return told


def current_period(budget: Budget, organisation: OrganisationRow, now: datetime) -> Period:
    zone = organisation.zone
    fiscal = organisation.fiscal_year_starts
    return period_bounds(budget.period, day_of(now, zone), zone, budget.starts_on, budget.ends_on, fiscal)


def budget_content(budget: Budget, period: Period, state: BudgetState | None) -> say.BudgetContent:
    limit = state.limit if state else budget.amount
    spent = state.spent if state else 0
    return say.BudgetContent(
        slug=budget.slug,
        name=budget.name,
        scope={str(dimension): str(value) for dimension, value in budget.scope.items()},
        metric=budget.metric,
        period=budget.period,
        starts_at=say.instant(period.starts_at),
        ends_at=say.instant(period.ends_at),
        limit=say.amount_text(limit, budget.metric),
        limit_version=budget.limit_version,
        remaining_percent=say.remaining_percent(limit, spent),
        crossed=state.crossed if state else 0,
        status=state.status if state else BudgetState.Status.UNDER.value,
        on_exhausted=budget.on_exhausted,
        settings={name: value for name, value in exact(budget.action_settings).items() if name != "hard"},
        hard=budget.is_hard,
    )


def read_grants(now: datetime, aliases: Mapping[str, list[str]] = MappingProxyType({})) -> list[say.GrantContent]:
    """The allowances that run, for every name that their workflow goes by."""
    grants = list(
        Grant.objects.filter(ended_at=None, expires_at__gt=now).select_related("workflow__merged_into").order_by("key")
    )
    full = [grant.pk for grant in grants if grant.ceiling_runs is not None and grant.runs >= grant.ceiling_runs]
    runs: dict[int, list[str]] = defaultdict(list)
    begun = GrantRun.objects.filter(grant__in=full, calls__gt=0).order_by("-pk").values_list("grant_id", "run_id")
    for grant_id, run_id in begun[: len(full) * RUNS_NAMED]:
        runs[grant_id].append(run_id)
    return [
        grant_content(grant, {**grant.scope, "workflow": name}, grant.pk not in full, runs[grant.pk])
        for grant in grants
        for slug in [(grant.workflow.merged_into or grant.workflow).slug]
        for name in (slug, *aliases.get(slug, ()))
    ]


def grant_content(grant: Grant, scope: dict[str, str], takes_new_runs: bool, runs: list[str]) -> say.GrantContent:
    ceiling = grant.ceiling
    return say.GrantContent(
        id=grant.key,
        scope=scope,
        tier=grant.tier,
        starts_at=say.instant(grant.starts_at),
        expires_at=say.instant(grant.expires_at),
        remaining_percent=None if ceiling is None else say.remaining_percent(ceiling, grant.spent),
        takes_new_runs=takes_new_runs,
        runs=sorted(runs[:RUNS_NAMED]),
    )


def listed_prices(generation: int, now: datetime) -> dict[tuple[str, str], PriceEntry]:
    """What the tiers' models cost now, under the names that the tiers use. A model without a price is left out."""
    prices = book.current(generation)
    found = {}
    for tier in Tier.objects.all():
        for named in tier.models:
            price = prices.find(named["provider"], named["model"], STANDARD, now)
            if price is not None:
                found[named["provider"], named["model"]] = price.price_id
    entries = PriceEntry.objects.in_bulk(found.values())
    return {named: entries[price_id] for named, price_id in found.items() if price_id in entries}


def price_content(provider: str, model: str, entry: PriceEntry) -> say.PriceContent:
    def text(value: Decimal | None) -> str | None:
        return None if value is None else say.decimal_text(value)

    return say.PriceContent(
        provider=provider,
        model=model,
        service_tier=entry.service_tier,
        input=text(entry.input),
        cached_input=text(entry.cached_input),
        cache_write=text(entry.cache_write),
        output=text(entry.output),
        units=exact(entry.units),
        steps=exact(entry.steps),
        hours=exact(entry.hours),
    )
