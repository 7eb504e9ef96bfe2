"""The policy that a fresh installation has in force, and offers as a draft where there was one before policies."""

from importlib import import_module
from typing import Any

from django.db import connections
from django.utils import timezone

from budgets.models import AuditEntry, Workflow
from routing.models import PolicyVersion, Tier
from routing.policy.document import Conditions, Outcome, Policy, PolicyModel, PolicyTier, Rule, written

BY = "TokenOps"
READY_MADE = "Ready-made rules"
AS_BEFORE = "As it was before"
TOKENS_OUTSIDE_PRODUCTION = 2_000_000  # a day, for each workflow: about 1.5 million words
RULES = (
    Rule(
        id="sensitive-claims",
        name="Sensitive claims",
        when=Conditions(risk_category=["sensitive-claims", "claims", "legal", "health"]),
        then=Outcome(tier=3, review=True),
    ),
    Rule(
        id="positioning",
        name="Positioning",
        when=Conditions(task_type=["positioning", "messaging"]),
        then=Outcome(tier=3),
    ),
    Rule(id="final-copy", name="Final copy", when=Conditions(stage=["publish"]), then=Outcome(tier=3)),
    Rule(
        id="final-copy-tasks",
        name="Final copy, by kind of task",
        when=Conditions(task_type=["final-copy", "final_copy"]),
        then=Outcome(tier=3),
    ),
    Rule(
        id="tagging",
        name="Tagging and sorting",
        when=Conditions(task_type=["tagging", "classification", "extraction"]),
        then=Outcome(tier=1),
    ),
    Rule(id="drafts", name="Drafts", when=Conditions(stage=["draft"]), then=Outcome(tier=1)),
    Rule(
        id="rewrites-and-variants",
        name="Rewrites and variants",
        when=Conditions(task_type=["rewrite", "rewriting", "variant", "variants"]),
        then=Outcome(tier=2),
    ),
    Rule(id="refining", name="Refining", when=Conditions(stage=["refine"]), then=Outcome(tier=2)),
)


def ready_made(tiers: list[PolicyTier]) -> Policy:
    """The ready-made rules over these tiers, of which they name 1 to 3."""
    daily = {"*": TOKENS_OUTSIDE_PRODUCTION}
    return Policy(tiers=tiers, rules=list(RULES), unlisted_models="allow", daily_tokens=daily)


def first_tiers() -> list[PolicyTier]:
    """Those of a fresh installation."""
    return [
        PolicyTier(
            number=number,
            name=name,
            needs_approval=needs_approval,
            models=[PolicyModel(provider=provider, model=model) for provider, model in models],
        )
        for number, name, needs_approval, models in import_module("routing.migrations.0002_first_rows").TIERS
    ]


def tiers_of(using: str) -> list[PolicyTier]:
    """The tiers that there are, as the rows say."""
    return [
        PolicyTier(
            number=row.number,
            name=row.name,
            needs_approval=row.needs_approval,
            review_note=row.review_note,
            models=[PolicyModel(provider=one["provider"], model=one["model"]) for one in row.models],
        )
        for row in Tier.objects.using(using).order_by("number")
    ]


def ensure_first_policy(using: str = "default") -> None:
    """Make version 1 where there is no version at all. Runs after migrate and flush.

    Where somebody worked already, it says what held before, so that nothing changes by itself, and the ready-made rules
    are a draft beside it.
    """
    if PolicyVersion._meta.db_table not in connections[using].introspection.table_names():
        return
    if PolicyVersion.objects.using(using).exists():
        return
    tiers = tiers_of(using) or first_tiers()
    if not is_in_use(using):
        _version(using, "The first policy", ready_made(tiers), number=1)
        return
    first = _version(using, AS_BEFORE, Policy(tiers=tiers), number=1)
    if {1, 2, 3} <= {tier.number for tier in tiers}:
        _version(using, READY_MADE, ready_made(tiers), based_on=first)


def is_in_use(using: str) -> bool:
    """Whether anybody did anything here, or any call was counted."""
    return (
        AuditEntry.objects.using(using).exists()
        or Workflow.objects.using(using).exclude(status=Workflow.Status.RESERVED).exists()
    )


def _version(
    using: str, title: str, policy: Policy, number: int | None = None, based_on: PolicyVersion | None = None
) -> PolicyVersion:
    values: dict[str, Any] = {"title": title, "document": written(policy), "based_on": based_on, "created_text": BY}
    if number is not None:
        values |= {"state": "published", "number": number, "live": True}
        values |= {"published_text": BY, "published_at": timezone.now()}
    return PolicyVersion.objects.using(using).create(**values)
