"""Change tiers: audited, published to the catalogue, in one transaction."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from budgets.audit.record import Actor, record
from budgets.models import Workflow
from budgets.notices.hint import hint_settle
from budgets.organisation.configuration import changing_configuration
from routing.models import Tier
from routing.tiers.publish import publish_tiers

MAX_MODELS = 50
MAX_PROVIDER, MAX_MODEL = 64, 128


class InUse(Exception):
    """The tier cannot go: something names it. The message says what."""


def read_models(text: str) -> list[dict[str, str]]:
    """One model a line, `provider/model`, the preferred one first. Raises ValueError with a sentence for the writer.

    A model's own name may hold slashes: the provider ends at the first.
    """
    models = []
    for line in text.splitlines():
        provider, slash, model = (part.strip() for part in line.strip().partition("/"))
        if not provider and not model:
            continue
        if not slash or not provider or not model:
            raise ValueError(f"“{line.strip()}”: write provider/model, such as openai/gpt-4.1.")
        if len(provider) > MAX_PROVIDER or len(model) > MAX_MODEL:
            raise ValueError(f"“{line.strip()[:40]}…” is too long.")
        models.append({"provider": provider, "model": model})
    if not models:
        raise ValueError("Name at least one model.")
    if len(models) > MAX_MODELS:
        raise ValueError(f"At most {MAX_MODELS} models.")
    names = [write_model(entry) for entry in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is listed twice.")
    return models


def write_model(entry: dict[str, str]) -> str:
    return f"{entry['provider']}/{entry['model']}"


def listed_elsewhere(models: Sequence[dict[str, str]], besides: Tier) -> dict[str, str]:
    """Model → name of another tier that lists it: a model belongs to one tier, or its usage has no one tier."""
    wanted = {write_model(entry) for entry in models}
    return {
        write_model(entry): str(tier)
        for tier in Tier.objects.exclude(pk=besides.pk)
        for entry in tier.models
        if write_model(entry) in wanted
    }


def save_tier(actor: Actor, tier: Tier, reason: str = "") -> Tier:
    """Write a new or changed tier and publish it."""
    with changing_configuration():
        before = Tier.objects.filter(pk=tier.pk).first() if tier.pk else None
        tier.save()
        record(actor, "changed" if before else "created", tier, said(before) if before else None, said(tier), reason)
        publish_tiers()
    transaction.on_commit(hint_settle)
    return tier


def remove_tier(actor: Actor, tier: Tier, reason: str = "") -> None:
    """Take a tier out. Raises InUse while workflows have it as their default."""
    with changing_configuration():
        named_by = list(Workflow.objects.filter(default_tier=tier.number).values_list("slug", flat=True)[:5])
        if named_by:
            raise InUse(f"Tier {tier} is the default of {', '.join(named_by)}.")
        record(actor, "removed", tier, said(tier), None, reason)
        tier.delete()
        publish_tiers()
    transaction.on_commit(hint_settle)


def said(tier: Tier) -> dict[str, Any]:
    """What the audit log keeps of it."""
    return {
        "number": tier.number,
        "name": tier.name,
        "needs_approval": tier.needs_approval,
        "models": [write_model(entry) for entry in tier.models],
    }
