"""Sign-in by the company's own provider (OpenID Connect): who is let in, and as whom."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import requests
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect import views
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from budgets.models import Invitation
from budgets.people.accept import join, join_uninvited, open_for
from budgets.people.invite import person_with
from budgets.people.membership import people_locked

WHO_CAN_HELP = "Ask an administrator of TokenOps for an invitation to {address}."


class CompanyAdapter(DefaultSocialAccountAdapter):
    """Lets in people whose account is connected, whose confirmed address is known, or who are invited."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse whom nobody knows, on a page that says who can help; before anything is written."""
        if sociallogin.is_existing or sociallogin.state.get("process") == "connect":
            return
        address = confirmed_address(sociallogin)
        if not address:
            refuse(request, "Your company’s sign-in names no confirmed e-mail address, so we cannot tell who you are.")
        if person_with(address) is not None:
            refuse(
                request,
                f"There is an account with {address}, but the address is not confirmed there. Sign in with your "
                "password and connect the two in your profile.",
            )
        if open_for(address) is None and not new_people():
            refuse(request, f"Nobody here knows {address}. " + WHO_CAN_HELP.format(address=address))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """`pre_social_login` has looked; the page for new accounts itself never opens."""
        return bool(sociallogin.email_addresses) and request.resolver_match.url_name == "openid_connect_callback"  # type: ignore[union-attr]

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """The person whose address is confirmed on both sides."""
        address = confirmed_address(sociallogin)
        if not address:
            return None
        known = EmailAddress.objects.filter(email__iexact=address, verified=True).select_related("user").first()
        return (known.user, address) if known else None

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """A new person with the role of their invitation; of two who come at once, one is made."""
        people_locked()
        now, address = timezone.now(), confirmed_address(sociallogin)
        waiting = open_for(address, now)
        if waiting is None and not new_people():
            refuse(request, f"Nobody here knows {address}. " + WHO_CAN_HELP.format(address=address))
        if person_with(address) is not None:
            refuse(request, "Your account was made a moment ago. Sign in once more.")
        person: User = super().save_user(request, sociallogin, form)
        if waiting is not None:
            join(person, Invitation.objects.select_for_update(of=("self",)).get(pk=waiting.pk), now)
        else:
            join_uninvited(person, new_people())
        return person


def new_people() -> str:
    """The role of people whom nobody invited, "" where they are refused."""
    return settings.COMPANY_SIGN_IN.new_people if settings.COMPANY_SIGN_IN else ""


def confirmed_address(sociallogin: SocialLogin) -> str:
    """The e-mail address that the provider vouches for, in small letters; "" for none."""
    return next((str(one.email).lower() for one in sociallogin.email_addresses if one.verified is True), "")


def refuse(request: HttpRequest, sentence: str) -> None:
    """End here with a page that says why."""
    raise ImmediateHttpResponse(refusal(request, sentence, 403))


def refusal(request: HttpRequest, sentence: str, status: int) -> HttpResponse:
    return render(request, "socialaccount/refused.html", {"sentence": sentence}, status=status)


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A provider that is down or talks nonsense is told on a page; nobody is signed in."""

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except (requests.RequestException, OAuth2Error, KeyError, TypeError, ValueError, AttributeError):
            sentence = "Your company’s sign-in does not answer as it should. Try again in a moment, or use a password."
            return refusal(request, sentence, 503)

    return check


@require_http_methods(["GET", "HEAD", "POST"])
@guarded
def begin(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """`/sign-in/<provider>/`: GET shows the button, POST leads to the provider."""
    answer: HttpResponseBase = views.login(request, provider_id)
    return answer


@require_GET
@guarded
def back(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """`/sign-in/<provider>/back/`: where the provider sends people to."""
    answer: HttpResponseBase = views.callback(request, provider_id)
    return answer
