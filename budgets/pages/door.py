"""Who may come in: sign-in for every page, the right to change budgets for every change."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url

View = Callable[..., HttpResponseBase]
CHANGE = "budgets.change_budget"
REFUSAL = (
    "Nothing was changed. Changing {what} needs the right to change them; "
    "an administrator of your organisation has it and can give it to you."
)


def signed_in(view: View) -> View:
    """Send people who are not signed in to the sign-in page and back; a fragment request reloads the whole page."""

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        htmx: Any = getattr(request, "htmx", None)
        if htmx:
            answer = HttpResponse(status=204)
            back = redirect_to_login(htmx.current_url_abs_path or "/", resolve_url(settings.LOGIN_URL))
            answer["HX-Redirect"] = back["Location"]
            return answer
        return redirect_to_login(request.get_full_path(), resolve_url(settings.LOGIN_URL))

    return check


def may_change_budgets(request: HttpRequest) -> bool:
    return request.user.has_perm(CHANGE)


def changes(permission: str, what: str) -> Callable[[View], View]:
    """For views that change `what`: signed in and with Django's `permission`; else a page that says who can."""

    def guard(view: View) -> View:
        @wraps(view)
        def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.has_perm(permission):
                raise PermissionDenied(REFUSAL.format(what=what))
            return view(request, *args, **kwargs)

        return signed_in(check)

    return guard


changes_budgets = changes(CHANGE, "budgets")
