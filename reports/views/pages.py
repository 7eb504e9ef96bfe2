"""Saved views in the browser: the list, saving one from another page, name and sharing, removing and undo."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from budgets.audit.record import Actor
from budgets.pages.answers import go, tell, tell_problem
from budgets.pages.csv import csv_response
from budgets.pages.door import in_reach
from budgets.people.names import shown_name
from reports.models import SavedView
from reports.views import edit
from reports.views.seen import fetched_view, may_change, seen_by

PLACES = {
    "/spend/calls/": "Calls",
    "/spend/runs/": "Runs",
    "/spend/": "Spend",
    "/figures/": "Figures",
    "/forecast/": "Forecast",
    "/unusual/": "Unusual spend",
    "/savings/": "Savings",
}


class ViewForm(forms.Form):
    """A view's name, and for whom it is."""

    name = forms.CharField(label="Name", max_length=80, strip=True)
    shared = forms.BooleanField(
        label="Everybody in the organisation may use it",
        required=False,
        help_text="What it shows is narrowed to what its reader may see.",
    )
    path = forms.CharField(widget=forms.HiddenInput, required=False)
    query = forms.CharField(widget=forms.HiddenInput, required=False)

    def refuse(self, error: edit.RefusedView) -> None:
        """Say why, beside the field, or above where the reader does not see it."""
        self.add_error(error.field if error.field in {"name", "shared"} else None, str(error))


@require_safe
@never_cache
@in_reach
def view_list(request: HttpRequest) -> HttpResponseBase:
    """`/views/`: one's own and those that are shared."""
    rows = listed(request)
    return render(request, "views/list.html", {"here": "spend", "rows": rows, "me": request.user.pk})


def listed(request: HttpRequest) -> list[dict[str, Any]]:
    """Each view with where it leads, whose it is and if it may be changed."""
    return [
        {
            "view": one,
            "place": place_of(one),
            "whose": "you" if one.owner_id == request.user.pk else shown_name(one.owner),
            "may_change": may_change(one, request.user),
            "link": request.build_absolute_uri(one.address),
        }
        for one in seen_by(request.user)
    ]


def place_of(view: SavedView) -> str:
    return next((words for path, words in PLACES.items() if view.path.startswith(path)), view.path)


@require_safe
@never_cache
@in_reach
def views_csv(request: HttpRequest) -> HttpResponseBase:
    """`/export/views.csv`: the list."""
    return csv_response(
        "saved-views",
        ["name", "page", "owner", "shared", "address", "created"],
        (
            [
                row["view"].name,
                row["place"],
                shown_name(row["view"].owner),
                "yes" if row["view"].shared else "no",
                row["link"],
                row["view"].created_at.isoformat(),
            ]
            for row in listed(request)
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@in_reach
def new(request: HttpRequest) -> HttpResponseBase:
    """`/views/new/`: from the small form of a page, or the page itself where that was refused."""
    if request.method != "POST":
        asked = {"path": request.GET.get("path", "/spend/"), "query": request.GET.get("query", "")}
        return _form(request, ViewForm(initial=asked))
    form = ViewForm(request.POST)
    if form.is_valid():
        kept = form.cleaned_data
        try:
            made = edit.save_view(Actor.of_request(request), kept["name"], kept["path"], kept["query"], kept["shared"])
        except edit.RefusedView as error:
            form.refuse(error)
        else:
            tell(request, f"The view “{made.name}” is saved.", reverse("saved-view-remove", args=[made.pk]))
            return go(request, made.address)
    return _form(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@in_reach
def change(request: HttpRequest, pk: int) -> HttpResponseBase:
    """`/views/<id>/edit/`: name and sharing."""
    view = fetched_view(request.user, pk, change=True)
    if request.method != "POST":
        return _form(request, ViewForm(initial={"name": view.name, "shared": view.shared}), view)
    form = ViewForm(request.POST)
    if form.is_valid():
        try:
            saved = edit.change_view(
                Actor.of_request(request), view, form.cleaned_data["name"], form.cleaned_data["shared"]
            )
        except edit.RefusedView as error:
            form.refuse(error)
        else:
            tell(request, f"The view is saved as “{saved.name}”.")
            return go(request, reverse("saved-views"))
    return _form(request, form, view)


def _form(request: HttpRequest, form: ViewForm, view: SavedView | None = None) -> HttpResponseBase:
    context = {"here": "spend", "form": form, "view": view}
    return render(request, "views/form.html", context, status=422 if form.errors else 200)


@require_POST
@never_cache
@in_reach
def remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Out of the lists; the toast offers to undo it."""
    view = fetched_view(request.user, pk, change=True, removed=True)
    edit.remove_view(Actor.of_request(request), view)
    tell(request, f"The view “{view.name}” is removed.", reverse("saved-view-restore", args=[pk]))
    return go(request, reverse("saved-views"))


@require_POST
@never_cache
@in_reach
def restore(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Undo of removing."""
    view = fetched_view(request.user, pk, change=True, removed=True)
    try:
        edit.restore_view(Actor.of_request(request), view)
    except edit.RefusedView as error:
        tell_problem(request, str(error))
    else:
        tell(request, f"The view “{view.name}” is back.")
    return go(request, reverse("saved-views"))
