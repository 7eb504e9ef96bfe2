"""Who may come in. Every page goes through one of these, which say whom it is for:

- `signed_in`: a page about the whole company. Refused to those whose roles are only for teams.
- `in_reach`: a page that fetches all it shows by `budgets.access.reachable`, so that it is for everybody with a role.
- `own_page`: about nothing but the one who is signed in.
- `changes` and `changes_in_reach`: the first two with a right to change something.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render, resolve_url

from budgets.access.roles import CHANGE_BUDGET, VIEW, reach

View = Callable[..., HttpResponseBase]
CHANGE = CHANGE_BUDGET
REFUSAL = (
    "Nothing was changed. Changing {what} needs the right to change them; "
    "an administrator of your organisation has it and can give it to you."
)
WHOLE_COMPANY = (
    "This page is about the whole company, and your role is for your team. "
    "People with a role for the whole company see it; {who} can give you one."
)


def own_page(view: View) -> View:
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


def in_reach(view: View) -> View:
    """Signed in, with any role: the view shows only what is in that role's reach."""

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not reach(request.user, VIEW):
            return render(request, "pages/no_role.html", {"who": who_gives_roles()}, status=403)
        return view(request, *args, **kwargs)

    return own_page(check)


def signed_in(view: View) -> View:
    """Signed in, with a role for the whole company; else a page that says so."""

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not reach(request.user, VIEW).everything:
            raise PermissionDenied(WHOLE_COMPANY.format(who=who_gives_roles()))
        return view(request, *args, **kwargs)

    return in_reach(check)


def changes_in_reach(permission: str, what: str) -> Callable[[View], View]:
    """For views that change `what`: with `permission` for any team; the view fetches by `fetched`, which asks whose."""

    def guard(view: View) -> View:
        @wraps(view)
        def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not reach(request.user, permission):
                raise PermissionDenied(REFUSAL.format(what=what))
            return view(request, *args, **kwargs)

        return in_reach(check)

    return guard


def changes(permission: str, what: str) -> Callable[[View], View]:
    """For views that change `what` of the whole company: with `permission` for all of it; else a page that says who."""

    def guard(view: View) -> View:
        @wraps(view)
        def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not reach(request.user, permission).everything:
                raise PermissionDenied(REFUSAL.format(what=what))
            return view(request, *args, **kwargs)

        return in_reach(check)

    return guard


def reads(permission: str, what: str) -> Callable[[View], View]:
    """For views that show `what`, which only those see who may change it."""

    def guard(view: View) -> View:
        @wraps(view)
        def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not reach(request.user, permission).everything:
                who = who_gives_roles()
                raise PermissionDenied(f"Seeing {what} needs the right to change them. {who} can give it to you.")
            return view(request, *args, **kwargs)

        return in_reach(check)

    return guard


def who_gives_roles() -> str:
    """ "Lena Kraus or Sam Reed", or who does where nobody is named so far."""
    from budgets.people.membership import administrators  # above this module in the floor
    from budgets.people.names import shown_name

    names = [shown_name(one) for one in administrators().order_by("first_name", "username")[:3]]
    return " or ".join(names) if names else "an administrator of your organisation"


def may_change_budgets(request: HttpRequest) -> bool:
    return request.user.has_perm(CHANGE)


changes_budgets = changes(CHANGE, "budgets")
changes_budgets_in_reach = changes_in_reach(CHANGE, "budgets")
