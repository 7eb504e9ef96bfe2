"""The tokens a day that the policy in force gives each workflow; leases, on the ground floor, count them."""

from collections.abc import Mapping

from routing.models import PolicyVersion


def daily_tokens() -> Mapping[str, int]:
    """Environment → tokens, "*" for every one but production; empty before any policy was published."""
    document = PolicyVersion.objects.filter(live=True).values_list("document__daily_tokens", flat=True).first()
    return document or {}
