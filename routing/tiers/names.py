"""What tiers are called, for the floors below."""

from routing.models import Tier


def tier_names() -> dict[int, str]:
    """Number → name of every tier, as they are now."""
    return dict(Tier.objects.order_by("number").values_list("number", "name"))
