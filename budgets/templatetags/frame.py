"""What the page frame needs to know of the request: the chosen theme, and whether this is demo data."""

from typing import Any

from django import template
from django.template.context import Context

from budgets.models import Organisation

register = template.Library()


@register.simple_tag(takes_context=True)
def site_frame(context: Context) -> dict[str, Any]:
    """`theme` ("light", "dark" or "" for the system's) and `demo`.

    Works without a request and without the database for people who are not signed in: error pages use it.
    """
    request = context.get("request")
    if request is None:
        return {"theme": "", "demo": False}
    theme = request.COOKIES.get("theme", "")
    organisation = context.get("organisation")
    if organisation is None and getattr(getattr(request, "user", None), "is_authenticated", False):
        organisation = Organisation.get()
    return {"theme": theme if theme in {"light", "dark"} else "", "demo": bool(organisation and organisation.is_demo)}


@register.filter
def initials(name: str) -> str:
    """Two letters for the round badge: of two words, or the first two."""
    words = name.replace(".", " ").replace("_", " ").split()
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else name[:2]).upper()
