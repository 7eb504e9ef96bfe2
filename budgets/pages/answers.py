"""How a page answers a change: on to another page, with a toast that may offer to undo it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect


def go(request: HttpRequest, url: str) -> HttpResponse:
    """To another page; a fragment request is told to load it as a whole."""
    htmx: Any = getattr(request, "htmx", None)
    if not htmx:
        return HttpResponseRedirect(url)
    answer = HttpResponse(status=204)
    answer["HX-Redirect"] = url
    return answer


def tell(request: HttpRequest, text: str, undo_url: str = "") -> None:
    """A toast on the next page. With `undo_url` it carries a button that posts there."""
    messages.success(request, text, extra_tags=undo_url)


def tell_problem(request: HttpRequest, text: str) -> None:
    """A toast that says what was not done."""
    messages.error(request, text)
