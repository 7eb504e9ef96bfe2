"""Addresses of the savings."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from reports.savings import views

LEVER = "savings/levers/<slug:key>/"

urlpatterns = [
    path("savings/", views.savings, name="savings"),
    path("savings/progress/", views.progress, name="savings-progress"),
    path("savings/again/", views.again, name="savings-again"),
    path(LEVER, views.lever, name="savings-lever"),
    path(f"{LEVER}prepare/", views.prepare, name="savings-prepare"),
    path(f"{LEVER}in/<short_name:slug>/", views.lever_workflow, name="savings-workflow"),
    path("export/savings.csv", views.levers_csv, name="savings-csv"),
    path("export/savings-workflows.csv", views.workflows_csv, name="savings-workflows-csv"),
    path("export/savings/levers/<slug:key>.csv", views.lever_csv, name="savings-lever-csv"),
    path("export/savings/levers/<slug:key>/<short_name:slug>.csv", views.calls_csv, name="savings-calls-csv"),
]
