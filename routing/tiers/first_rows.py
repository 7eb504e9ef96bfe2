"""Rows that every installation has on this floor: the epoch, and a ready-made set of three tiers."""

from importlib import import_module
from typing import Any

from django.db import connections

from routing.models import BundleEpoch, Tier


def ensure_first_rows(using: str = "default", **_: Any) -> None:
    """Make what is missing: the epoch, and the three tiers where there is none at all. Runs after migrate and flush.

    Nothing where a migrate backwards took the tables away.
    """
    if Tier._meta.db_table not in connections[using].introspection.table_names():
        return
    BundleEpoch.objects.using(using).get_or_create(id=1, defaults={"epoch": 1})
    if Tier.objects.using(using).exists():
        return
    for number, name, needs_approval, models in import_module("routing.migrations.0002_first_rows").TIERS:
        Tier.objects.using(using).create(
            number=number,
            name=name,
            needs_approval=needs_approval,
            models=[{"provider": provider, "model": model} for provider, model in models],
        )
