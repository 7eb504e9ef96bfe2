"""Changing keys: new, change, rotate, revoke, undo. A key's text is in one answer to one POST, nowhere else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from budgets.access import change
from budgets.access.key_forms import KeyChangeForm, KeyForm, RevokeForm, RotateForm
from budgets.access.key_views import PERMISSION
from budgets.access.revoke import revoke_key
from budgets.audit.record import Actor
from budgets.models import ApiKey, AuditEntry, Organisation, Source
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes

changes_keys = changes(PERMISSION, "keys")
form_view: Callable[..., Any] = require_http_methods(["GET", "HEAD", "POST"])


@form_view
@never_cache
@changes_keys
@sensitive_post_parameters()
@sensitive_variables("plain")
def new(request: HttpRequest) -> HttpResponseBase:
    """`/settings/keys/new/`. The answer to a good POST shows the key; sent again, it is refused by the name."""
    form = KeyForm(request.POST or None, initial={"name": request.GET.get("name", "")[:128], "scopes": ["ingest"]})
    if request.method == "POST" and form.is_valid():
        try:
            key, plain = change.create_key(
                Actor.of_request(request),
                form.values(),
                form.cleaned_data["source"],
                person(request),
                one_of_a_name=True,
            )
        except change.InvalidKey as error:
            put_errors(form, error)
        else:
            return shown_once(request, key, plain)
    return form_page(request, "keys/new.html", form, {"sources": Source.objects.values_list("slug", flat=True)[:200]})


@form_view
@never_cache
@changes_keys
def edit(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/keys/<id>/edit/`: name, rights, sources and end; undone from the toast."""
    key = get_object_or_404(ApiKey.objects.select_related("source"), pk=pk)
    form = change_form(key, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            saved = change.change_key(
                Actor.of_request(request),
                key,
                form.values(),
                form.cleaned_data["reason"].strip(),
                form.cleaned_data["seen"],
            )
        except change.InvalidKey as error:
            put_errors(form, error)
        except change.RefusedKey as error:
            key.refresh_from_db()
            return form_page(request, "keys/edit.html", change_form(key), {"key": key, "conflict": str(error)}, 409)
        else:
            tell_change(request, saved)
            return go(request, reverse("key", args=[pk]))
    return form_page(request, "keys/edit.html", form, {"key": key})


def change_form(key: ApiKey, typed: Any = None) -> KeyChangeForm:
    """The form of a key as it is now, or as it was typed."""
    values = change.values_of(key)
    initial = {
        "name": values.name,
        "scopes": list(values.scopes),
        "also": ", ".join(values.also),
        "teams": list(values.teams),
        "expires": "keep",
        "seen": change.stamp(key),
    }
    return KeyChangeForm(typed, key=key, organisation=Organisation.get(), initial=initial)


@form_view
@never_cache
@changes_keys
@sensitive_variables("plain")
def rotate(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/keys/<id>/rotate/`: a new key with the same rights, shown once; the old one ends after the overlap."""
    key = get_object_or_404(ApiKey.objects.select_related("source"), pk=pk)
    form = RotateForm(request.POST or None)
    status = None
    if request.method == "POST" and form.is_valid():
        overlap = timedelta(hours=form.cleaned_data["overlap"])
        try:
            made, plain = change.rotate_key(
                Actor.of_request(request), key, overlap, person(request), form.cleaned_data["reason"].strip()
            )
        except change.RefusedKey as error:
            form.add_error(None, str(error))
            status = 409
        else:
            return shown_once(request, made, plain, old=ApiKey.objects.get(pk=pk))
    return form_page(request, "keys/rotate.html", form, {"key": key}, status)


@form_view
@never_cache
@changes_keys
def revoke(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/settings/keys/<id>/revoke/`: asks first, since it cannot be undone."""
    key = get_object_or_404(ApiKey.objects.select_related("source"), pk=pk)
    form = RevokeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if revoke_key(Actor.of_request(request), key, form.cleaned_data["reason"].strip()):
            tell(request, f"{key.name} is revoked. Whoever still sends with it is refused from now on.")
        else:
            tell_problem(request, f"{key.name} was revoked before. Nothing was changed.")
        return go(request, reverse("key", args=[pk]))
    return form_page(request, "keys/revoke.html", form, {"key": key})


@require_POST
@changes_keys
def undo(request: HttpRequest, pk: int, entry: int) -> HttpResponseBase:
    """Take back the change that this row of history tells of, if nothing happened since."""
    key = get_object_or_404(ApiKey, pk=pk)
    told = get_object_or_404(AuditEntry, pk=entry, object_type=key._meta.label_lower, object_id=str(pk))
    try:
        change.undo_change(Actor.of_request(request), key, told)
    except change.RefusedKey as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{key.name} is as it was before.")
    return redirect("key", pk)


def shown_once(request: HttpRequest, key: ApiKey, plain: str, old: ApiKey | None = None) -> HttpResponse:
    """The one page with the key's text. It is the answer to the POST itself: no address leads to it again."""
    answer = render(
        request,
        "keys/made.html",
        {
            "here": "settings",
            "organisation": Organisation.get(),
            "key": key,
            "plain": plain,
            "old": old,
            "events_url": request.build_absolute_uri(reverse("events")),
            "bundle_url": request.build_absolute_uri("/api/v1/policy-bundle"),
            "now": timezone.now(),
        },
        status=201,
    )
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def form_page(
    request: HttpRequest, template: str, form: forms.Form, more: dict[str, Any], status: int | None = None
) -> HttpResponse:
    """The form as a page: 422 where something was wrong with it."""
    context = {"here": "settings", "organisation": Organisation.get(), "form": form, **more}
    return render(request, template, context, status=status or (422 if form.errors else 200))


def put_errors(form: forms.Form, error: change.InvalidKey) -> None:
    """Each sentence beside its field."""
    fields = {"expires_at": "expires_on"}
    for name, sentence in error.problems.items():
        form.add_error(fields.get(name, name), sentence)


def person(request: HttpRequest) -> Any:
    """The signed-in person, for the typed calls."""
    return request.user


def tell_change(request: HttpRequest, key: ApiKey) -> None:
    """A toast that offers to undo the change just made."""
    entries = AuditEntry.objects.filter(object_type=key._meta.label_lower, object_id=str(key.pk))
    entry = entries.order_by("-pk").first()
    url = reverse("key-undo", args=[key.pk, entry.pk]) if entry and entry.act == "changed" else ""
    tell(request, f"{key.name} is saved. Gateways that use it are told at once.", url)
