"""Rows that every installation has on this floor: the epoch, three tiers, and a policy in force that has them."""

from typing import Any

from django.db import connections

from routing.models import BundleEpoch, Tier
from routing.policy.ready_made import ensure_first_policy, first_tiers


def ensure_first_rows(using: str = "default", **_: Any) -> None:
    """Make what is missing: the epoch, tiers where there is none, the first policy. Runs after migrate and flush.

    Nothing where a migrate backwards took the tables away.
    """
    if Tier._meta.db_table not in connections[using].introspection.table_names():
        return
    BundleEpoch.objects.using(using).get_or_create(id=1, defaults={"epoch": 1})
    if not Tier.objects.using(using).exists():
        for tier in first_tiers():
            models = [{"provider": one.provider, "model": one.model} for one in tier.models]
            Tier.objects.using(using).create(
                number=tier.number, name=tier.name, needs_approval=tier.needs_approval, models=models
            )
    ensure_first_policy(using)
