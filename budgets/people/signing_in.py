"""`/sign-in/`, `/sign-out/` and what stands on the way: too many tries, a second factor that is still missing."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.views import LoginView, LogoutView
from allauth.mfa.webauthn.views import LoginWebAuthnView
from django.conf import settings
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from budgets.pages.door import own_page
from budgets.people.adapters import WAIT
from budgets.people.second_factor import is_missing


def as_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view of django-allauth as our pages are: GET and POST only, 422 where what was typed is refused."""

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = view(request, *args, **kwargs)
        context = getattr(answer, "context_data", None) or {}
        if request.method == "POST" and answer.status_code == 200 and getattr(context.get("form"), "errors", None):
            answer.status_code = 422
        return answer

    guarded: Callable[..., HttpResponseBase] = require_http_methods(["GET", "HEAD", "POST"])(check)
    return guarded


def company() -> dict[str, Any]:
    """What the sign-in pages need to know of the company's own provider."""
    return {"company": settings.COMPANY_SIGN_IN}


class SignIn(LoginView):
    """`/sign-in/`: by password, by passkey, or by the company's provider."""

    template_name = "account/sign_in.html"
    http_method_names = ("get", "head", "post", "options")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | company() | {"next": self.get_next_url() or ""}

    def form_invalid(self, form: Form) -> HttpResponse:
        """The page again; after too many tries 429, with how long to wait."""
        wait = getattr(self.request, "sign_in_wait", 0)
        if wait:
            minutes = -(-wait // 60)
            form.errors["__all__"] = form.error_class(
                [WAIT.format(minutes=f"{minutes} minute{'' if minutes == 1 else 's'}")]
            )
        answer: HttpResponse = super().form_invalid(form)
        if wait:
            answer.status_code = 429
            answer["Retry-After"] = str(wait)
        return answer


class SignInByPasskey(LoginWebAuthnView):
    """`/sign-in/passkey/`: JSON for the browser's question, then its answer by POST."""

    http_method_names = ("get", "head", "post", "options")


class SignOut(LogoutView):
    """`/sign-out/`, by POST only."""

    http_method_names = ("post", "options")


@require_safe
@never_cache
@own_page
def second_factor_needed(request: HttpRequest) -> HttpResponseBase:
    """`/second-factor/`: says why, and leads to setting one up; on to `next` once there is one."""
    after = request.GET.get("next", "")
    if not after.startswith("/") or not url_has_allowed_host_and_scheme(after, {request.get_host()}):
        after = "/"
    if not is_missing(request):
        return HttpResponseRedirect(after)
    return render(request, "account/second_factor_needed.html", {"after": after})


def too_many(request: HttpRequest) -> HttpResponse:
    """429 where django-allauth counts requests."""
    answer = render(request, "429.html", status=429)
    answer["Retry-After"] = "60"
    return answer
