"""What a request would cost and do, computed from past runs, prices and budgets when it is asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db import connection
from django.db.models import Q

from budgets.approvals.facts import Asked, Facts
from budgets.models import Budget, Organisation, Workflow
from budgets.pages.pace import rounded
from budgets.pages.standing import Standing
from budgets.pages.standings import standings
from routing.models import Tier
from usage.prices import book
from usage.prices.book import PriceBook
from usage.prices.cost import cost_of

LOOKED_BACK = timedelta(days=30)
STANDARD = "standard"
# Runs that were measured and priced throughout; a run that goes by two names of its workflow is one.
PAST = """
SELECT count(DISTINCT run_id), coalesce(sum(calls), 0)::bigint, coalesce(sum(input_tokens), 0)::bigint,
    coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(cost), 0)::bigint
FROM usage_run
WHERE workflow_id = ANY(%s) AND last_call >= %s AND calls > 0 AND unmeasured = 0 AND unpriced = 0
"""


@dataclass(frozen=True, slots=True)
class Past:
    """What measured, priced runs of a workflow used together; `cost` in nano-dollars."""

    runs: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0

    def per_run(self, cost: int | None) -> int | None:
        """Of a cost of them all, rounded to a nano-dollar; None where there were none, or no cost is known."""
        return rounded(cost, self.runs) if cost is not None and self.runs else None


def facts_for(asked: Asked, now: datetime) -> Facts:
    """What is known of a request at `now` (aware); what is not is None. Names that nobody has give empty facts."""
    organisation = Organisation.get()
    if asked.kind == "budget":
        return budget_facts(asked, organisation, now)
    workflow = Workflow.objects.select_related("team", "merged_into__team").filter(slug=asked.workflow).first()
    if workflow is None or asked.tier is None:
        return Facts()
    workflow = workflow.merged_into or workflow
    costs = premium_facts(asked, workflow, organisation, now)
    return with_budget(costs, tightest(workflow, costs.extra_cost or 0, organisation, now), costs.extra_cost)


def premium_facts(asked: Asked, workflow: Workflow, organisation: Organisation, now: datetime) -> Facts:
    """What the runs cost now, what they would by the asked tier, and by the one below it."""
    past = past_runs(workflow, now)
    prices = book.current(organisation.generation)
    tiers = {tier.number: tier for tier in Tier.objects.all()}
    today = past.per_run(past.cost)
    premium = past.per_run(cost_by(tiers.get(asked.tier or 0), past, prices, now))
    runs = asked.runs or expected_runs(past, asked.wanted_until, now)
    facts = Facts(
        runs=runs,
        cost_per_run=today,
        premium_per_run=premium,
        extra_cost=extra_of(runs, today, premium, asked.ceiling),
        based_on_runs=past.runs,
    )
    lower = [tier for number, tier in tiers.items() if (workflow.default_tier or 1) < number < (asked.tier or 0)]
    if not lower:
        return facts
    cheaper = max(lower, key=lambda tier: tier.number)
    per_run = past.per_run(cost_by(cheaper, past, prices, now))
    return replace(
        facts,
        cheaper_tier=cheaper.number,
        cheaper_name=cheaper.name,
        cheaper_per_run=per_run,
        cheaper_extra=extra_of(runs, today, per_run, None),
    )


def extra_of(runs: int | None, today: int | None, asked: int | None, ceiling: int | None) -> int | None:
    """What so many runs cost more than now, never less than nothing; at most the ceiling that was asked for.

    Where nothing is known of past runs the ceiling is the most it can be.
    """
    if runs is None or today is None or asked is None:
        return ceiling
    extra = max(0, runs * (asked - today))
    return extra if ceiling is None else min(extra, ceiling)


def past_runs(workflow: Workflow, now: datetime) -> Past:
    """The last 30 days' runs, under every name of the workflow."""
    names = [workflow.pk, *workflow.aliases.values_list("pk", flat=True)]
    with connection.cursor() as cursor:
        cursor.execute(PAST, [names, now - LOOKED_BACK])
        return Past(*cursor.fetchone())


def expected_runs(past: Past, until: datetime | None, now: datetime) -> int | None:
    """As many as would come by `until` at the pace of the last 30 days; None where that cannot be said."""
    if until is None or until <= now or not past.runs:
        return None
    return max(1, rounded(past.runs * int((until - now).total_seconds()), int(LOOKED_BACK.total_seconds())))


def cost_by(tier: Tier | None, past: Past, prices: PriceBook, now: datetime) -> int | None:
    """What the same tokens cost by the tier's first model that has a price; nano-dollars, None where none has.

    Cached input is counted at the full price, since another model's cache is empty.
    """
    if tier is None or not past.calls:
        return None
    for named in tier.models:
        price = prices.find(named["provider"], named["model"], STANDARD, now)
        if price is None:
            continue
        one = past.input_tokens // past.calls
        parts = cost_of(price, past.input_tokens, 0, 0, past.output_tokens, input_of_one=one)
        if parts is not None:
            return parts.total
    return None


def tightest(workflow: Workflow, extra: int, organisation: Organisation, now: datetime) -> Standing | None:
    """Of the budgets of money that the workflow's calls fall under, the one that `extra` fills most."""
    scopes: list[dict[str, str]] = [{}, {"workflow": workflow.slug}]
    if workflow.team:
        scopes += [{"team": workflow.team.slug}, {"team": workflow.team.slug, "workflow": workflow.slug}]
    rows = budgets_of(scopes, organisation, now)
    return max(rows, key=lambda one: ((one.spent + extra) * 10**6 // one.limit, one.slug), default=None)


def budgets_of(scopes: Iterable[dict[str, str]], organisation: Organisation, now: datetime) -> Sequence[Standing]:
    """How the active budgets of money stand that cover exactly one of `scopes`."""
    covers = reduce(or_, (Q(scope=one) for one in scopes))
    wanted = Budget.objects.filter(covers, status=Budget.Status.ACTIVE, metric=Budget.Metric.MONEY)
    return [one for one in standings(organisation, now, wanted)[0] if one.limit > 0]


def budget_facts(asked: Asked, organisation: Organisation, now: datetime) -> Facts:
    """Where the budget stands, and by how much the asked amount is more (of money only)."""
    chosen = Budget.objects.filter(slug=asked.budget)
    budget = chosen.first()
    if budget is None:
        return Facts()
    standing = next(iter(standings(organisation, now, chosen)[0]), None)
    is_money = budget.metric == Budget.Metric.MONEY
    extra = asked.amount - budget.amount if is_money and asked.amount is not None else None
    facts = Facts(extra_cost=extra, budget=budget.slug, budget_name=budget.name, budget_limit=budget.amount)
    if standing is None:
        return facts
    return replace(
        facts,
        budget_spent=standing.spent,
        budget_after=standing.spent,
        landing=standing.landing,
        landing_after=standing.landing,
        landing_on=standing.last.isoformat(),
    )


def with_budget(facts: Facts, standing: Standing | None, extra: int | None) -> Facts:
    """The same with where that budget stands, and where it would."""
    if standing is None:
        return facts
    added = extra or 0
    return replace(
        facts,
        budget=standing.slug,
        budget_name=standing.name,
        budget_limit=standing.limit,
        budget_spent=standing.spent,
        budget_after=standing.spent + added,
        landing=standing.landing,
        landing_after=None if standing.landing is None else standing.landing + added,
        landing_on=standing.last.isoformat(),
    )
