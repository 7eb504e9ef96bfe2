"""What past calls are decided by: a policy compiled as the bundle would be, for times gone by.

Workflows with their limits, prices and measures are those of now. Budgets and pauses are left out: what was left of a
budget then is not what a policy decides. Allowances count while they ran, whatever was used of them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.db.models import Q
from django.utils import timezone

from budgets.models import Grant, Organisation
from routing.bundle import content as say
from routing.bundle import policy_part
from routing.bundle.snapshot import STANDARD, aliases_of, grant_content, listed_workflows, price_content, read_content
from routing.models import ModelMeasure, PolicyVersion, Tier
from routing.policy.document import Policy, PolicyModel, PolicyTier, read, written
from usage.models import PriceEntry
from usage.prices import book

Named = tuple[str, str]
MOST_GRANTS = 20_000


def live_policy() -> tuple[int, Policy]:
    """The policy in force with its number; 0 and the tiers alone where none was published."""
    version = PolicyVersion.objects.filter(live=True).first()
    if version is not None:
        return version.number or 0, read(version.document)
    tiers = [
        PolicyTier(
            number=tier.number,
            name=tier.name,
            models=[
                PolicyModel(one["provider"], one["model"], one.get("latency_ms"), one.get("quality"))
                for one in tier.models
            ],
            needs_approval=tier.needs_approval,
            review_note=tier.review_note,
        )
        for tier in Tier.objects.order_by("number")
    ]
    return 0, Policy(tiers=tiers)


def document_of(policy: Policy, content: say.Content, number: int = 0, now: datetime | None = None) -> dict[str, Any]:
    """The bundle's document with `policy` in place of the one in force; `now` (aware) decides prices.

    `content` as `routing.bundle.snapshot.read_content` gives it, or `past_content`.
    """
    now = now or timezone.now()
    stated = written(policy)
    prices = prices_of(policy, now)
    measured = {(row.provider, row.model): row for row in ModelMeasure.objects.all()}
    tiers = [
        say.TierContent(
            number=tier.number,
            name=tier.name,
            needs_approval=tier.needs_approval,
            review_note=tier.review_note,
            models=[policy_part.tier_model(msgspec.to_builtins(one), prices, measured) for one in tier.models],
        )
        for tier in sorted(policy.tiers, key=lambda one: one.number)
    ]
    made = msgspec.structs.replace(
        content,
        tiers=tiers,
        default_tier=tiers[0].number if tiers else None,
        policy=say.PolicyContent(
            version=number,
            unlisted_models=policy.unlisted_models,
            rules=stated.get("rules", []),
            otherwise=stated.get("otherwise", {}),
            daily_tokens=policy.daily_tokens,
        ),
        prices=[price_content(*named, entry) for named, entry in sorted(prices.items(), key=lambda one: one[0])],
    )
    return say.document(made, say.Stamp(0, 0, number, 0, say.instant(now)))


def prices_of(policy: Policy, now: datetime) -> dict[Named, PriceEntry]:
    """What the policy's models cost at `now`; a model without a price is left out."""
    known = book.current(Organisation.get().generation)
    found = {}
    for named in {(one.provider, one.model) for tier in policy.tiers for one in tier.models}:
        price = known.find(*named, STANDARD, now)
        if price is not None:
            found[named] = price.price_id
    entries = PriceEntry.objects.in_bulk(found.values())
    return {named: entries[price_id] for named, price_id in found.items() if price_id in entries}


def past_content(organisation: Organisation, starts_at: datetime, ends_at: datetime) -> say.Content:
    """The bundle's content for calls of [starts_at, ends_at): clocks and allowances of then, no budgets, no pauses."""
    content = read_content(organisation)
    aliases = aliases_of(listed_workflows())
    return msgspec.structs.replace(
        content,
        organisation=msgspec.structs.replace(
            content.organisation, utc_offsets=offsets_between(organisation, starts_at, ends_at)
        ),
        workflows={slug: msgspec.structs.replace(one, paused=False) for slug, one in content.workflows.items()},
        budgets=[],
        blocked=[],
        grants=past_grants(starts_at, ends_at, aliases),
    )


def offsets_between(organisation: Organisation, starts_at: datetime, ends_at: datetime) -> list[say.Offset]:
    """The offset in force at `starts_at`, and every change up to `ends_at`."""
    found = policy_part.utc_offsets(organisation.zone, starts_at)
    while len(found) > 1 and datetime.fromisoformat(found[-1].since) < ends_at:
        later = policy_part.utc_offsets(organisation.zone, datetime.fromisoformat(found[-1].since))[1:]
        if not later:
            break
        found += later
    return found


def past_grants(starts_at: datetime, ends_at: datetime, aliases: Mapping[str, Iterable[str]]) -> list[say.GrantContent]:
    """The allowances that ran at some time of the window, each until it ended, for every name of its workflow."""
    ran = Q(starts_at__lt=ends_at, expires_at__gt=starts_at) & (Q(ended_at=None) | Q(ended_at__gt=starts_at))
    grants = Grant.objects.filter(ran).select_related("workflow__merged_into").order_by("key")[:MOST_GRANTS]
    told = []
    for grant in grants:
        slug = (grant.workflow.merged_into or grant.workflow).slug
        ends = min(grant.expires_at, grant.ended_at) if grant.ended_at else grant.expires_at
        for name in (slug, *aliases.get(slug, ())):
            said = grant_content(grant, {**grant.scope, "workflow": name}, True, [])
            told.append(msgspec.structs.replace(said, expires_at=say.instant(ends), remaining_percent=None))
    return told


def only_of(document: Mapping[str, Any], workflows: Iterable[str]) -> dict[str, Any]:
    """The document without what concerns other workflows, to be kept with a result."""
    kept = set(workflows)
    return {
        **document,
        "compiled_at": "",
        "workflows": {slug: one for slug, one in document["workflows"].items() if slug in kept},
        "grants": [one for one in document["grants"] if one["scope"].get("workflow") in kept],
        "snippets": {},
    }


def differing(live: Mapping[str, Any], draft: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of `live` that `draft` has otherwise."""
    return {name: value for name, value in live.items() if draft.get(name) != value}
