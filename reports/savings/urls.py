"""Addresses of the savings."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from reports.savings import views
from reports.what_if import views as what_if

LEVER = "savings/levers/<slug:key>/"

urlpatterns = [
    path("savings/", views.savings, name="savings"),
    path("savings/progress/", views.progress, name="savings-progress"),
    path("savings/again/", views.again, name="savings-again"),
    path("savings/what-if/", what_if.what_if, name="what-if"),
    path(LEVER, views.lever, name="savings-lever"),
    path(f"{LEVER}prepare/", views.prepare, name="savings-prepare"),
    path(f"{LEVER}in/<short_name:slug>/", views.lever_workflow, name="savings-workflow"),
    path("export/savings.csv", views.levers_csv, name="savings-csv"),
    path("export/savings-workflows.csv", views.workflows_csv, name="savings-workflows-csv"),
    path("export/what-if.csv", what_if.workflows_csv, name="what-if-csv"),
    path("export/what-if-budgets.csv", what_if.budgets_csv, name="what-if-budgets-csv"),
    path("export/savings/levers/<slug:key>.csv", views.lever_csv, name="savings-lever-csv"),
    path("export/savings/levers/<slug:key>/<short_name:slug>.csv", views.calls_csv, name="savings-calls-csv"),
]
