"""Policies, drafts and publishing for tests."""

from typing import Any

import msgspec

from budgets.audit.record import Actor
from budgets.models import AuditEntry
from routing.models import PolicyVersion
from routing.policy.document import Conditions, Outcome, Policy, PolicyModel, PolicyTier, Rule
from routing.policy.edit import begin_draft, live_version, policy_of, save_draft
from routing.policy.publish import publish

ACTOR = Actor.command("test")


def a_tier(number: int, *models: str, name: str = "", **values: Any) -> PolicyTier:
    """Models as provider/model."""
    names = name or {1: "Economy", 2: "Standard", 3: "Premium"}.get(number, f"Tier {number}")
    split = [one.partition("/") for one in models]
    return PolicyTier(number, names, [PolicyModel(provider, model) for provider, _, model in split], **values)


def a_rule(key: str, when: dict[str, Any] | None = None, **then: Any) -> Rule:
    """Named by its id."""
    return Rule(key, key.capitalize(), msgspec.convert(when or {}, Conditions), Outcome(**then))


def a_policy(*rules: Rule, tiers: list[PolicyTier] | None = None, **values: Any) -> Policy:
    """Three tiers of a model each, and these rules."""
    three = [a_tier(1, "a/one"), a_tier(2, "a/two"), a_tier(3, "a/three", needs_approval=True)]
    return Policy(tiers=three if tiers is None else tiers, rules=list(rules), **values)


def a_draft(policy: Policy | None = None, title: str = "Cheaper drafts", actor: Actor = ACTOR) -> PolicyVersion:
    """A draft of what is in force, or of `policy`."""
    draft = begin_draft(actor, title)
    return draft if policy is None else save_draft(actor, draft, policy, draft.edit_version)


def published(policy: Policy, actor: Actor = ACTOR) -> PolicyVersion:
    """Put in force at once."""
    return publish(actor, a_draft(policy, actor=actor))


def live() -> Policy:
    return policy_of(live_version())


def acts(version: PolicyVersion) -> list[str]:
    """What was done with it, in order."""
    rows = AuditEntry.objects.filter(object_type="routing.policyversion", object_id=str(version.pk))
    return list(rows.order_by("position").values_list("act", flat=True))
