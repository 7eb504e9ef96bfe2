"""Who must have a second factor, and the way there for those who have none yet."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from budgets.access.problems import Problem, problem_response
from budgets.models import Membership
from budgets.models.people import Role

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
PRIVILEGED = (Role.ADMINISTRATOR, Role.FINANCE, Role.APPROVER, Role.POLICY_ADMIN)
# What somebody without a second factor can still open: setting one up, proving who they are, leaving.
OPEN = {
    "sign-out",
    "account_logout",
    "second-factor-needed",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_view_recovery_codes",
    "mfa_download_recovery_codes",
    "account_reauthenticate",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "account_change_password",
    "account_set_password",
    "favicon",
    "healthz",
    "readyz",
}


def with_second_factor(people: "QuerySet[User]") -> "QuerySet[User]":
    """People with `has_second_factor`."""
    own = Authenticator.objects.filter(user=OuterRef("pk"), type__in=FACTORS)
    return people.annotate(has_second_factor=Exists(own))


def is_privileged(user: User) -> bool:
    """Whether they may do what costs others: a superuser, or a role of `PRIVILEGED`."""
    return user.is_superuser or Membership.objects.filter(user=user, role__in=PRIVILEGED).exists()


def is_missing(request: HttpRequest) -> bool:
    """Whether the signed-in person has to set up a second factor first.

    Those who came by the company's own sign-in have what that asks for, and are not asked again.
    """
    wanted = settings.SECOND_FACTOR
    user = request.user
    if wanted == "off" or not isinstance(user, User):
        return False
    if Authenticator.objects.filter(user=user, type__in=FACTORS).exists():
        return False
    if any(record.get("method") == "socialaccount" for record in get_authentication_records(request, user)):
        return False
    return wanted == "all" or is_privileged(user)


class SecondFactorAsked:
    """Sends people who must have a second factor and have none to where it is set up; `SECOND_FACTOR` says who."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        """None lets the request through. Keys are no person's: they have no session and never come here."""
        match = request.resolver_match
        if settings.SECOND_FACTOR == "off" or (match is not None and match.view_name in OPEN):
            return None
        if not is_missing(request):
            return None
        if request.path_info.startswith("/api/"):
            sentence = "Your account needs a second factor first. Sign in on the page to set one up."
            return problem_response(Problem(403, "second-factor", "A second factor is needed", sentence))
        url = reverse("second-factor-needed")
        is_read = request.method in {"GET", "HEAD"}
        if getattr(request, "htmx", False):  # a part of a page stays empty; what somebody pressed leads there
            answer = HttpResponse(status=204)
            if not is_read:
                answer["HX-Redirect"] = url
            return answer
        if is_read:
            url += "?" + urlencode({"next": request.get_full_path()})
        return redirect(url)
