"""Write each model's tier, with the date it holds from, into the catalogue that the ledger charges by."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from django.utils import timezone

from budgets.organisation.configuration import changing_configuration
from routing.models import Tier
from usage.models import ModelTier
from usage.prices import book

FROM_THE_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)  # what the first tiers hold from: usage sent late has a tier too
NO_TIER = 0


def publish_tiers(now: datetime | None = None) -> int:
    """Bring the catalogue up to date; how many rows were written. Dated `now`, the very first from the beginning.

    Models are written in the price book's words, as ledger rows name them. A model that left every tier gets tier 0.
    """
    with changing_configuration():
        # Names need no entries, and the book in memory is not for here: it would be remembered if this rolls back.
        prices = book.PriceBook(())
        wanted = tier_by_model(Tier.objects.order_by("number"))
        listed = {prices.canonical(provider, model): tier for (provider, model), tier in wanted.items()}
        known = newest_tiers()
        gone = {name: NO_TIER for name, tier in known.items() if tier != NO_TIER and name not in listed}
        since = (now or timezone.now()) if known else FROM_THE_BEGINNING
        rows = [
            ModelTier(provider=provider, model=model, tier=tier, valid_from=since)
            for (provider, model), tier in {**gone, **listed}.items()
            if known.get((provider, model), NO_TIER) != tier
        ]
        ModelTier.objects.bulk_create(rows)
    return len(rows)


def tier_by_model(tiers: Iterable[Tier]) -> dict[tuple[str, str], int]:
    """Tier number by (provider, model) as the tiers name them; the cheapest where a model is listed twice."""
    found: dict[tuple[str, str], int] = {}
    for tier in tiers:
        for entry in tier.models:
            found.setdefault((entry["provider"], entry["model"]), tier.number)
    return found


def newest_tiers() -> Mapping[tuple[str, str], int]:
    """What the catalogue says last of each model."""
    rows = ModelTier.objects.order_by("provider", "model", "-valid_from").distinct("provider", "model")
    return {(row.provider, row.model): row.tier for row in rows}
