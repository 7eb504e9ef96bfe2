"""What an audit proposes at its start: a budget, usual models, limits, each with its reason; and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse

from budgets.models import Budget, Workflow
from budgets.pages.amounts import cents, entered, typed
from budgets.workflows.guardrails import BY_NAME
from reports.asking.scope import Scope
from reports.models import SavingsRun
from reports.savings.levers import LEVERS
from reports.savings.result import OfWorkflow, Result
from reports.spend.sums import spend
from reports.suggestion.suggest import round_up
from reports.workflow_audit.figures import days_window
from reports.workflow_audit.values import Baseline, Proposal
from usage.workflows.reading import TIERS

ROOM = 110  # percent of what was spent: a budget that a usual month keeps within
MONTH = 30
OTHER_MODELS = ("newer-model", "routing-down", "small-model")


@dataclass(frozen=True, slots=True)
class Offered:
    """A proposal with the form that has it filled in, and whether it holds by now."""

    proposal: Proposal
    url: str
    done: bool

    @property
    def words(self) -> str:
        """Forms take dollars; what pages show them as stands beside."""
        one = self.proposal
        return f"A budget of {entered(one.amount, 'money')} a month" if one.kind == "budget" else one.words

    @property
    def why(self) -> str:
        one = self.proposal
        if one.kind != "budget":
            return one.why
        return f"As the days before went, it spends {cents(one.cost)} in thirty days; this leaves a tenth of room."


def propose(
    workflow: Workflow, baseline: Baseline, zone: ZoneInfo, newest: tuple[SavingsRun, Result] | None
) -> list[Proposal]:
    """From what was spent, which models were used, and what the levers found last. One statement."""
    found = [*_budget(baseline), *_tier(workflow, baseline, zone)]
    if newest is not None and (of := newest[1].workflows.get(workflow.slug)):
        found += _limits(of)
    return found


def _budget(baseline: Baseline) -> Iterable[Proposal]:
    cost = baseline.figures.cost * MONTH // max(1, baseline.figures.days)
    if cost > 0:
        amount = round_up(cost * ROOM // 100, "money")
        yield Proposal("budget", "A budget for each month", "A tenth of room.", amount=amount, cost=cost)


def _tier(workflow: Workflow, baseline: Baseline, zone: ZoneInfo) -> Iterable[Proposal]:
    """The tier that most of its calls were served by, where no usual models are chosen or dearer ones are."""
    window = days_window(baseline.first, baseline.last, zone)
    served = spend(Scope(workflow=(workflow.slug,)), window, ("tier",)).rows
    calls = {int(row.keys[0]): row.used.calls for row in served if row.keys[0] not in {None, "", "0"}}
    if not calls:
        return
    tier = min(calls, key=lambda one: (-calls[one], one))
    if tier in TIERS and (workflow.default_tier is None or tier < workflow.default_tier):
        share = calls[tier] * 100 // max(1, sum(calls.values()))
        why = f"{share}% of its calls were served by {TIERS[tier]} models; dearer ones then count as exceptions."
        yield Proposal("tier", f"{TIERS[tier]} as its usual models", why, tier=tier)


def _limits(of: OfWorkflow) -> Iterable[Proposal]:
    for lever in LEVERS:
        found = of.levers.get(lever.key)
        if found is None or found.terms is None:
            continue
        limits = {name: value for name, value in found.terms.limits.items() if isinstance(value, int)}
        if limits:
            words = " ".join(BY_NAME[name].in_words(value) for name, value in limits.items())
            yield Proposal("limits", words, found.terms.says, limits=limits, lever=lever.key)
        elif lever.key in OTHER_MODELS:
            yield Proposal("lever", lever.name, f"{found.terms.says} {lever.needs}", lever=lever.key)


def offered(proposals: Iterable[Proposal], workflow: Workflow) -> list[Offered]:
    """The proposals as they stand with the workflow now. One statement."""
    form, found = reverse("workflow-edit", args=[workflow.slug]), []
    limits: dict[str, Any] = workflow.guardrails if isinstance(workflow.guardrails, dict) else {}
    budgeted = Budget.objects.filter(scope={"workflow": workflow.slug}, metric=Budget.Metric.MONEY)
    has_budget = budgeted.exclude(status=Budget.Status.ARCHIVED).exists()
    for one in proposals:
        if one.kind == "budget":
            values: dict[str, Any] = {"workflow": workflow.slug, "name": workflow.name}
            values |= {"amount": typed(one.amount, "money")}
            found.append(Offered(one, f"{reverse('budget-new')}?{urlencode(values)}", has_budget))
        elif one.kind == "tier":
            done = workflow.default_tier is not None and workflow.default_tier <= one.tier
            found.append(Offered(one, f"{form}?{urlencode({'default_tier': one.tier})}", done))
        elif one.kind == "limits":
            done = all(isinstance(now := limits.get(name), int) and now <= most for name, most in one.limits.items())
            query = urlencode({f"limit_{name}": most for name, most in one.limits.items()})
            found.append(Offered(one, f"{form}?{query}#limits", done))
        else:
            found.append(Offered(one, reverse("savings-lever", args=[one.lever]), False))
    return found
