"""Addresses of our pages as people outside see them."""

from django.conf import settings


def link(path: str) -> str:
    """A path of ours as a whole address; "" stays ""."""
    return f"{settings.SITE_URL}{path}" if path else ""
