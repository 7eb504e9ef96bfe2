"""Addresses of the pages on this floor."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.http import require_safe

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from budgets.pages import bulk, changes, listing, reserved, views
from budgets.pages.door import in_reach


@require_safe
@in_reach
def menu(request: HttpRequest) -> HttpResponse:
    """`/menu/`: what the short bar of a phone has no room for."""
    return render(request, "pages/more.html", {"here": "menu"})


def icon(request: HttpRequest) -> HttpResponse:
    """`/favicon.ico`: asked for by pages that name no icon, as Django admin's."""
    return redirect(static("icon.svg"))


urlpatterns = [
    path("favicon.ico", icon, name="favicon"),
    path("menu/", menu, name="menu"),
    path("budgets/", listing.budget_list, name="budgets"),
    path("budgets/new/", changes.new, name="budget-new"),
    path("budgets/check/", changes.check, name="budget-check"),
    path("budgets/bulk/", bulk.bulk_act, name="budget-bulk"),
    path("budgets/bulk/undo/<int:first>/<int:last>/", bulk.bulk_undo, name="budget-bulk-undo"),
    path("budgets/<short_name:slug>/", views.budget, name="budget"),
    path("budgets/<short_name:slug>/edit/", changes.change, name="budget-edit"),
    path("budgets/<short_name:slug>/pause/", changes.pause, name="budget-pause"),
    path("budgets/<short_name:slug>/resume/", changes.resume, name="budget-resume"),
    path("budgets/<short_name:slug>/archive/", changes.archive, name="budget-archive"),
    path("budgets/<short_name:slug>/restore/", changes.restore, name="budget-restore"),
    path("budgets/<short_name:slug>/undo/<int:entry>/", changes.undo, name="budget-undo"),
    path("export/budgets.csv", listing.budgets_csv, name="budgets-csv"),
    path("export/budgets/<short_name:slug>.csv", views.budget_csv, name="budget-csv"),
    path("export/budgets/<short_name:slug>/reserved.csv", reserved.reserved_csv, name="budget-reserved-csv"),
    path("series/budgets/<short_name:slug>.json", views.budget_series, name="budget-series"),
]
