"""The pages of people: list, one person, what changes them, invitations."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.audit.record import Actor
from budgets.audit.words import role_list
from budgets.models import AuditEntry, Invitation, Membership, Organisation
from budgets.models.people import Role
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response
from budgets.pages.door import changes, reads
from budgets.people import invite as inviting
from budgets.people import membership
from budgets.people.forms import InviteForm, RoleForm
from budgets.people.membership import PERMISSION, RefusedPeople, role_words
from budgets.people.names import shown_name
from budgets.people.people_list import STATES, PeopleFilter, row_of, when
from budgets.people.second_factor import with_second_factor

PER_PAGE = 50
changes_people = changes(PERMISSION, "people and roles")
form_view: Callable[..., Any] = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@never_cache
@reads(PERMISSION, "people and roles")
def people(request: HttpRequest) -> HttpResponseBase:
    """`/settings/people/`: who can sign in, with which roles; open invitations above."""
    organisation, now = Organisation.get(), timezone.now()
    asked = PeopleFilter.of(request.GET.dict())
    page = Paginator(asked.found(), PER_PAGE).get_page(request.GET.get("page"))
    may_change = request.user.has_perm(PERMISSION)
    return render(
        request,
        "people/list.html",
        {
            "here": "settings",
            "organisation": organisation,
            "asked": asked,
            "states": STATES,
            "role_choices": Role.choices,
            "page": page,
            "rows": [row_of(person, organisation, now) for person in page.object_list],
            "invitations": waiting(organisation) if may_change else [],
            "now": now,
            "may_change": may_change,
        },
    )


def waiting(organisation: Organisation) -> list[dict[str, Any]]:
    """Invitations without an answer, the newest first, in words."""
    now = timezone.now()
    found: QuerySet[Invitation] = Invitation.objects.filter(accepted_at=None, revoked_at=None)
    return [
        {
            "row": one,
            "role": role_words(one.role, one.team.name if one.team else ""),
            "by": shown_name(one.invited_by) if one.invited_by else "",
            "is_over": one.expires_at <= now,
            "until": when(one.expires_at, organisation),
        }
        for one in found.select_related("team", "invited_by")[:200]
    ]


@require_safe
@never_cache
@changes_people
def people_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/people.csv`: the same filter as the list."""
    organisation, now = Organisation.get(), timezone.now()
    found = PeopleFilter.of(request.GET.dict()).found()
    rows = (row_of(person, organisation, now) for person in found.iterator(500))
    return csv_response(
        "people",
        ["user_name", "name", "email", "roles", "account", "last_sign_in", "second_factor"],
        (
            [
                row.person.username,
                row.person.get_full_name(),
                row.person.email,
                "; ".join(row.roles),
                "open" if row.person.is_active else "closed",
                row.person.last_login.isoformat() if row.person.last_login else "",
                "yes" if row.has_second_factor else "no",
            ]
            for row in rows
        ),
    )


@require_safe
@never_cache
@changes_people
def person(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/<id>/`: roles, sign-in, what changed."""
    return person_page(request, pk, RoleForm())


def person_page(request: HttpRequest, pk: int, form: forms.Form, status: int = 200) -> HttpResponse:
    organisation, now = Organisation.get(), timezone.now()
    found = get_object_or_404(with_second_factor(User.objects.prefetch_related("memberships__team")), pk=pk)
    held = list(Membership.objects.filter(user=found).select_related("team"))
    entries = AuditEntry.objects.filter(object_type=User._meta.label_lower, object_id=str(pk))[:20]
    return render(
        request,
        "people/person.html",
        {
            "here": "settings",
            "organisation": organisation,
            "row": row_of(found, organisation, now),
            "person": found,
            "held": [
                (one.role, one.team_id or "", role_words(one.role, one.team.name if one.team else "")) for one in held
            ],
            "is_superuser_only": found.is_superuser and not any(one.role == Role.ADMINISTRATOR for one in held),
            "last": when(found.last_login, organisation) if found.last_login else "Not yet",
            "since": when(found.date_joined, organisation),
            "history": [(one, when(one.at, organisation), changed(one)) for one in entries],
            "form": form,
            "is_self": found.pk == request.user.pk,
        },
        status=status,
    )


def changed(entry: AuditEntry) -> str:
    """ "Viewer → Viewer, Approver of Brand" for a row about roles, else nothing."""
    before, after = (entry.before or {}).get("roles"), (entry.after or {}).get("roles")
    return f"{role_list(before or []) or 'none'} → {role_list(after) or 'none'}" if isinstance(after, list) else ""


@require_POST
@changes_people
def give(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/<id>/give/`: one role more."""
    found, form = get_object_or_404(User, pk=pk), RoleForm(request.POST)
    if not form.is_valid():
        return person_page(request, pk, form, 422)
    role, team = form.cleaned_data["role"], form.cleaned_data["team"]
    words = role_words(role, team.name if team else "")

    def act(actor: Actor) -> AuditEntry | None:
        return membership.give_role(actor, found, role, team)

    return done(
        request, found, act, f"{shown_name(found)} is {words} now.", f"{shown_name(found)} had this role already."
    )


@require_POST
@changes_people
def take(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/<id>/take/`: one role less."""
    found = get_object_or_404(User, pk=pk)
    role, team = request.POST.get("role", ""), request.POST.get("team", "")
    team_id = int(team) if team.isdecimal() and len(team) < 19 else None

    def act(actor: Actor) -> AuditEntry | None:
        return membership.take_role(actor, found, role, team_id)

    name = shown_name(found)
    return done(
        request, found, act, f"{name} has this role no more.", f"{name} did not have this role. Nothing was changed."
    )


@require_POST
@changes_people
def close(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/<id>/close/`: they cannot sign in any more."""
    found = get_object_or_404(User, pk=pk)
    name = shown_name(found)

    def act(actor: Actor) -> AuditEntry | None:
        return membership.close_account(actor, found, request.POST.get("reason", "")[:500])

    return done(
        request, found, act, f"{name} cannot sign in any more.", "The account was closed already.", "person-open"
    )


@require_POST
@changes_people
def reopen(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/<id>/open/`: they can sign in again."""
    found = get_object_or_404(User, pk=pk)

    def act(actor: Actor) -> AuditEntry | None:
        return membership.open_account(actor, found)

    said = f"{shown_name(found)} can sign in again."
    return done(request, found, act, said, "The account was open already.", "person-close")


@require_POST
@changes_people
def forget_second_factor(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/<id>/second-factor/remove/`: for somebody who lost theirs. It cannot be undone."""
    found = get_object_or_404(User, pk=pk)

    def act(actor: Actor) -> AuditEntry | None:
        return membership.remove_second_factor(actor, found)

    name = shown_name(found)
    said = f"{name} signs in without a second factor until they set up a new one. They are signed out everywhere."
    return done(request, found, act, said, f"{name} has no second factor. Nothing was changed.", None)


@require_POST
@changes_people
def undo(request: HttpRequest, pk: int, entry: int) -> HttpResponseBase:
    """Give back the roles that this row of history tells of, if nothing happened since."""
    found = get_object_or_404(User, pk=pk)
    told = get_object_or_404(AuditEntry, pk=entry, object_type=User._meta.label_lower, object_id=str(pk))
    try:
        if "roles" not in (told.after or {}):
            raise RefusedPeople("This cannot be undone here.")
        membership.undo_roles(Actor.of_request(request), found, told)
    except RefusedPeople as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{shown_name(found)} has the roles of before.")
    return redirect("person", pk)


def done(
    request: HttpRequest,
    found: User,
    act: Callable[[Actor], AuditEntry | None],
    said: str,
    nothing: str,
    undone_by: str | None = "",
) -> HttpResponse:
    """Do it and go back to the person. The toast's Undo posts to `undone_by` ("": the roles; None: none)."""
    try:
        entry = act(Actor.of_request(request))
    except RefusedPeople as error:
        tell_problem(request, str(error))
    else:
        if entry is None:
            tell_problem(request, nothing)
        elif undone_by is None:
            tell(request, said)
        else:
            tell(
                request,
                said,
                reverse(undone_by, args=[found.pk]) if undone_by else reverse("person-undo", args=[found.pk, entry.pk]),
            )
    # Who gave a role away may not see this page any more; the list is everybody's.
    return go(request, reverse("people") if request.user.pk == found.pk else reverse("person", args=[found.pk]))


@form_view
@never_cache
@changes_people
def invite(request: HttpRequest) -> HttpResponseBase:
    """`/settings/people/invite/`: whom, and as what."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made, _ = inviting.invite(Actor.of_request(request), values["email"], values["role"], values["team"])
        except RefusedPeople as error:
            form.add_error(error.field or None, str(error))
        else:
            tell(
                request,
                f"{made.email} is invited. The link works for seven days.",
                reverse("invitation-revoke", args=[made.pk]),
            )
            return go(request, reverse("people"))
    context = {"here": "settings", "organisation": Organisation.get(), "form": form}
    return render(request, "people/invite.html", context, status=422 if form.errors else 200)


@require_POST
@changes_people
def invitation_again(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/invitations/<id>/again/`: a new link."""
    row = get_object_or_404(Invitation, pk=pk)
    try:
        inviting.send_again(Actor.of_request(request), row)
    except RefusedPeople as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{row.email} gets a new link, good for seven days. The one before no longer works.")
    return go(request, reverse("people"))


@require_POST
@changes_people
def invitation_revoke(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/invitations/<id>/revoke/`: its link no longer works."""
    row = get_object_or_404(Invitation, pk=pk)
    try:
        inviting.revoke(Actor.of_request(request), row)
    except RefusedPeople as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"The invitation to {row.email} is revoked.", reverse("invitation-open", args=[pk]))
    return go(request, reverse("people"))


@require_POST
@changes_people
def invitation_open(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/people/invitations/<id>/open/`: what was revoked works again."""
    row = get_object_or_404(Invitation, pk=pk)
    try:
        inviting.undo_revoke(Actor.of_request(request), row)
    except RefusedPeople as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"The invitation to {row.email} works again.")
    return go(request, reverse("people"))
