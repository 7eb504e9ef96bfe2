"""Names to choose from in forms."""

from django.utils import timezone

from usage.models import QuarterHour
from usage.prices.used import LOOK_BACK

MOST = 500


def seen_models() -> list[tuple[str, str]]:
    """(provider, model) as senders named them in the last 30 days. One statement."""
    rows = QuarterHour.objects.filter(bucket__gte=timezone.now() - LOOK_BACK).order_by("model", "provider")
    return list(rows.values_list("provider", "model").distinct()[:MOST])
