"""What belongs to one person: the page of an invitation, and the profile."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import EmailAddress, Login
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from budgets.audit.record import Actor, record
from budgets.audit.words import role_list
from budgets.models import Organisation, Profile
from budgets.pages.answers import go, tell
from budgets.pages.door import own_page
from budgets.people import accept as accepting
from budgets.people.forms import AcceptForm, ProfileForm
from budgets.people.membership import RefusedPeople, as_history, role_words, roles_of
from budgets.people.names import shown_name
from budgets.people.people_list import when
from budgets.people.signing_in import company


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password")
@sensitive_variables("token")
def invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """`/invitation/<token>/`: what one is invited to; only a POST accepts it. 410 once it is no good any more."""
    try:
        row = accepting.found(token)
    except RefusedPeople as error:
        return render(request, "people/invitation_over.html", {"sentence": str(error)}, status=410)
    shown = {
        "row": row,
        "role": role_words(row.role, row.team.name if row.team else ""),
        "by": shown_name(row.invited_by) if row.invited_by else "An administrator",
        "until": when(row.expires_at, Organisation.get()),
        **company(),
    }
    if request.user.is_authenticated:
        return render(request, "people/invitation_signed_in.html", shown)
    form = AcceptForm(request.POST or None, email=row.email)
    if request.method == "POST" and form.is_valid():
        try:
            person = accepting.accept(token, form.cleaned_data["name"], form.cleaned_data["password"])
        except RefusedPeople as error:
            return render(request, "people/invitation_over.html", {"sentence": str(error)}, status=410)
        record_authentication(request, person, method="password", email=person.email)
        answer: HttpResponseBase = perform_login(request, Login(user=person, email=person.email))
        return answer
    return render(request, "people/invitation.html", shown | {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@own_page
def profile(request: HttpRequest) -> HttpResponseBase:
    """`/profile/`: how one is called and reached, and the ways to sign in."""
    user = request.user
    assert isinstance(user, User)  # signed_in
    own = Profile.objects.filter(user=user).first() or Profile(user=user, slack_id="", by_email=True)
    initial = {
        "first_name": user.first_name, "last_name": user.last_name, "slack_id": own.slack_id, "by_email": own.by_email,
    }  # fmt: skip
    form = ProfileForm(request.POST or None, user=user, initial=initial)
    if request.method == "POST" and form.is_valid():
        save_profile(Actor.of_request(request), user, form.cleaned_data)
        tell(request, "Your profile is saved.")
        return go(request, reverse("profile"))
    factors = list(Authenticator.objects.filter(user=user))
    return render(
        request,
        "people/profile.html",
        {
            "here": "profile",
            "form": form,
            "roles": role_list(as_history(roles_of(user))) or "None yet. An administrator can give you one.",
            "addresses": list(EmailAddress.objects.filter(user=user).order_by("-primary", "email")),
            "has_app": any(one.type == Authenticator.Type.TOTP for one in factors),
            "passkeys": sum(one.type == Authenticator.Type.WEBAUTHN for one in factors),
            "methods": get_adapter(request).get_reauthentication_methods(user),
            "second_factor": settings.SECOND_FACTOR,
            **company(),
        },
        status=422 if form.errors else 200,
    )


@transaction.atomic
def save_profile(actor: Actor, user: User, values: dict[str, Any]) -> None:
    """Name, Slack id and whether to write e-mails, with a row of history where anything differs."""
    own, _ = Profile.objects.select_for_update().get_or_create(user=user)
    before = profile_values(user, own)
    user.first_name, user.last_name = values["first_name"].strip(), values["last_name"].strip()
    own.slack_id, own.by_email = values["slack_id"], values["by_email"]
    after = profile_values(user, own)
    if before == after:
        return
    user.save(update_fields=["first_name", "last_name"])
    own.save()
    record(actor, "changed the profile of", user, before, after)


def profile_values(user: User, own: Profile) -> dict[str, Any]:
    return {"name": user.get_full_name(), "slack_id": own.slack_id, "by_email": own.by_email}
