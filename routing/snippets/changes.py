"""Changing approved texts in the browser: new, edit, archive, take back, undo."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from budgets.access.reachable import fetched
from budgets.audit.newest import newest_entry
from budgets.audit.record import Actor
from budgets.models import AuditEntry
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.door import changes_in_reach
from routing.models import Snippet
from routing.snippets import edit
from routing.snippets.forms import SnippetForm, typed_values
from routing.snippets.reaching import CHANGE

changes = changes_in_reach(CHANGE, "approved texts")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes
def new(request: HttpRequest) -> HttpResponseBase:
    """`/routing/snippets/new/?kind=`."""
    if request.method != "POST":
        kind = request.GET.get("kind", "")
        first = {"kind": kind if kind in Snippet.Kind.values else "brand", "owner": request.user.get_username()}
        return _form(request, SnippetForm(initial=first, who=request.user))
    form = SnippetForm(request.POST, who=request.user)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        made = edit.make_snippet(Actor.of_request(request), form.values)
    except edit.InvalidSnippet as error:
        form.refuse(error.problems)
        return _form(request, form, status=422)
    _tell(request, made, f"{made.name} is saved. Gateways know it with the next policy.")
    return go(request, reverse("snippet", args=[made.slug]))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@changes
def change(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`/routing/snippets/<slug>/edit/`: another text makes a new version."""
    row = fetched(Snippet.objects.select_related("team", "owner"), request.user, CHANGE, slug=slug)
    if request.method != "POST":
        return _form(request, SnippetForm(initial=typed_values(row), who=request.user, snippet=row), row)
    form = SnippetForm(request.POST, who=request.user, snippet=row)
    if not form.is_valid():
        return _form(request, form, row, status=422)
    seen = request.POST.get("seen", "")
    try:
        saved = edit.save_snippet(
            Actor.of_request(request),
            row,
            form.values,
            int(seen) if seen.isascii() and seen.isdigit() else None,
            form.cleaned_data["note"],
        )
    except edit.InvalidSnippet as error:
        form.refuse(error.problems)
        return _form(request, form, row, status=422)
    except edit.StaleSnippet as error:
        form.add_error(None, str(error))
        return _form(request, form, error.snippet, status=409)
    except edit.RefusedSnippet as error:
        form.add_error(None, str(error))
        return _form(request, form, row, status=409)
    if saved.edit_version == row.edit_version:
        tell(request, f"{saved.name} is as it was: nothing was changed.")
    else:
        _tell(request, saved, f"{saved.name} is saved.")
    return go(request, reverse("snippet", args=[saved.slug]))


@require_POST
@changes
def archive(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Out of use; the toast offers to undo it."""
    return _act(request, slug, edit.archive_snippet, "{} is archived. Workflows may not use it any more.")


@require_POST
@changes
def restore(request: HttpRequest, slug: str) -> HttpResponseBase:
    return _act(request, slug, edit.restore_snippet, "{} is in use again.")


@require_POST
@changes
def undo(request: HttpRequest, slug: str, entry: int) -> HttpResponseBase:
    """Take back the change that this row of history tells of."""
    row = fetched(Snippet, request.user, CHANGE, slug=slug)
    told = get_object_or_404(AuditEntry, pk=entry, object_type=Snippet._meta.label_lower, object_id=str(row.pk))
    try:
        edit.undo_snippet(Actor.of_request(request), row, told)
    except (edit.RefusedSnippet, edit.InvalidSnippet) as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"{row.name} is as it was before.")
    return go(request, reverse("snippet", args=[row.slug]))


def _act(request: HttpRequest, slug: str, do: Any, said: str) -> HttpResponse:
    row = fetched(Snippet, request.user, CHANGE, slug=slug)
    try:
        done = do(Actor.of_request(request), row)
    except edit.RefusedSnippet as error:
        tell_problem(request, str(error))
    else:
        _tell(request, done, said.format(done.name))
    return go(request, reverse("snippet", args=[row.slug]))


def _tell(request: HttpRequest, row: Snippet, text: str) -> None:
    entry = newest_entry(Snippet, row.pk)
    tell(request, text, reverse("snippet-undo", args=[row.slug, entry.pk]) if entry else "")


def _form(request: HttpRequest, form: SnippetForm, row: Snippet | None = None, status: int = 200) -> HttpResponse:
    context = {
        "here": "policy",
        "tab": "snippets",
        "form": form,
        "row": row,
        "seen": row.edit_version if row else "",
        "workflows": form.offers(),
    }
    return render(request, "snippets/form.html", context, status=status)
