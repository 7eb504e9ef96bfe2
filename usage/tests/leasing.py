"""Hard budgets and leases of them for tests."""

from typing import Any

from budgets.leases.holdings import holdings
from budgets.leases.take import Taken, Wish, take
from budgets.limits.evaluate import evaluate_due
from budgets.models import NANO, Budget, Workflow
from budgets.tests.made import a_budget
from usage.tests.events import NOW

A_CALL = 3_000_000  # nano-dollars: 1,000 input at $2, 100 output at $10 a million


def hard(dollars: float = 1, name: str = "Briefs", **values: Any) -> Budget:
    """A budget that must be reserved, judged as of NOW."""
    budget = a_budget(int(dollars * NANO), name, NOW, on_exhausted="block", **values)
    Budget.objects.filter(pk=budget.pk).update(action_settings={"hard": True})
    evaluate_due(now=NOW)
    return budget


def money(budget: Budget, dollars: float | None = None, now: Any = NOW, **more: Any) -> Taken:
    """A lease of it."""
    amount = None if dollars is None else int(dollars * NANO)
    return take(Wish("money", budget.slug, amount=amount, **more), now=now)


def limited(**guardrails: Any) -> Workflow:
    return Workflow.objects.create(slug="briefs", name="Briefs", status="production", guardrails=guardrails)


def reserved(budget: Budget, now: Any = NOW) -> int:
    """What its page says is reserved."""
    return sum(one.amount for one in holdings(budget, now))
