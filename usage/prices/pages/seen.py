"""Names to choose from in forms."""

from datetime import timedelta

from django.utils import timezone

from usage.prices.used import names_since

MOST = 500
LATELY = timedelta(days=7)  # a list to choose from; any other name may be typed


def seen_models() -> list[tuple[str, str]]:
    """(provider, model) as senders named them lately, by model. One statement."""
    return sorted(names_since(timezone.now() - LATELY), key=lambda one: (one[1], one[0]))[:MOST]
