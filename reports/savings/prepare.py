"""What a lever would change, ready for a person: the workflow's form with its limits filled in, or a draft of a policy.

Nothing here is in force: a limit is saved, and a draft published, by whoever looks at it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from django.urls import reverse

from budgets.audit.record import Actor
from budgets.models import Workflow
from reports.savings.lever import Lever, Terms
from routing.models import PolicyVersion
from routing.policy.document import Policy, PolicyModel, Rule
from routing.policy.edit import LONGEST_TITLE, begin_draft
from routing.replay.basis import live_policy

NOT_IN_IDS = re.compile(r"[^a-z0-9]+")
LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Link:
    """A form with a change filled in."""

    words: str
    url: str


def limit_links(workflow: Workflow, terms: Terms) -> list[Link]:
    """The workflow's form with what the terms propose; empty where its limits need no change."""
    form = reverse("workflow-edit", args=[workflow.slug])
    stated = workflow.guardrails if isinstance(workflow.guardrails, dict) else {}
    typed: list[tuple[str, object]] = []
    for name, value in terms.limits.items():
        if name == "cache_kinds":
            typed += [(f"limit_{name}", kind) for kind in more_caches(stated, value)]
        else:
            typed.append((f"limit_{name}", value))
    links = [Link("Prepare the limits", f"{form}?{urlencode(typed)}#limits")] if typed else []
    for task, limits in terms.task_limits.items():
        typed = [("task_type", task), *((f"task_{name}", value) for name, value in limits.items())]
        links.append(Link(f"Prepare the limit for {task}", f"{form}?{urlencode(typed)}#limits"))
    return links


def more_caches(stated: dict[str, object], kinds: Sequence[str]) -> list[str]:
    """The kinds of cache that the workflow would have to allow; empty where it allows these already."""
    cache = stated.get("cache")
    allowed = cache.get("kinds") if isinstance(cache, dict) else None
    if not isinstance(allowed, list) or set(kinds) <= set(allowed):
        return []  # without a limit every kind is allowed
    return [*allowed, *(kind for kind in kinds if kind not in allowed)]


def changes_policy(terms: Terms) -> bool:
    """Whether it is a policy that would change."""
    return bool(terms.rules or terms.models)


def draft_of(actor: Actor, lever: Lever, proposed: dict[str, Terms]) -> PolicyVersion | None:
    """A draft with what the lever proposes for these workflows, over the policy in force; None where that has it.

    Raises InvalidPolicy where there would be too many rules.
    """
    _, live = live_policy()
    policy = with_models(live, [pair for terms in proposed.values() for pair in terms.models])
    policy = with_rules(policy, list(rules_of(lever, proposed)))
    if policy == live:
        return None
    names = ", ".join(proposed)
    title = f"{lever.name}: {names}"[:LONGEST_TITLE] if len(proposed) == 1 else lever.name
    note = f"Prepared from Savings. {lever.needs} Risk: {lever.risk}"
    return begin_draft(actor, title, note=note[:1000], policy=policy)


def rules_of(lever: Lever, proposed: dict[str, Terms]) -> Iterator[Rule]:
    """The rules of the terms, each with an id that stays the same."""
    for slug, terms in proposed.items():
        for n, stated in enumerate(terms.rules):
            name = NOT_IN_IDS.sub("-", f"{lever.key}-{n + 1}-{slug}".lower())[:LONGEST_ID].strip("-")
            yield msgspec.convert({**stated, "id": name}, Rule)


def with_rules(policy: Policy, rules: Sequence[Rule]) -> Policy:
    """The policy with these first, in place of those with the same ids."""
    ids = {rule.id for rule in rules}
    return msgspec.structs.replace(policy, rules=[*rules, *(one for one in policy.rules if one.id not in ids)])


def with_models(policy: Policy, pairs: Sequence[Sequence[Sequence[str]]]) -> Policy:
    """The policy with each model of its tiers replaced by the one that takes its place."""
    to = {(old[0], old[1]): PolicyModel(new[0], new[1]) for old, new in pairs}
    if not to:
        return policy
    tiers = []
    for tier in policy.tiers:
        models = dict.fromkeys(
            (found.provider, found.model) for one in tier.models for found in [to.get((one.provider, one.model), one)]
        )
        kept = {(one.provider, one.model): one for one in tier.models}
        tiers.append(msgspec.structs.replace(tier, models=[kept.get(named) or PolicyModel(*named) for named in models]))
    return msgspec.structs.replace(policy, tiers=tiers)
