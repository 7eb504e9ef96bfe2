"""The menu of saved views for a page whose whole question stands in its address."""

from typing import Any

from django import template
from django.template.context import Context

from reports.views.seen import seen_by

register = template.Library()
SHOWN = 12


@register.inclusion_tag("views/menu.html", takes_context=True)
def saved_views(context: Context) -> dict[str, Any]:
    """Views to open, and a small form that saves the page as it is. One statement."""
    request = context["request"]
    asked = request.GET.copy()
    asked.pop("page", None)
    found = list(seen_by(request.user)[: SHOWN + 1])
    return {
        "views": found[:SHOWN],
        "more": len(found) > SHOWN,
        "path": request.path,
        "query": asked.urlencode(),
        "csrf_token": context.get("csrf_token"),
    }
