"""Pages, data and files of why spend differs."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from reports.why import views

urlpatterns = [
    path("spend/why/", views.why, name="spend-why"),
    path("series/spend-why.json", views.why_series, name="spend-why-series"),
    path("export/spend-why.csv", views.why_csv, name="spend-why-csv"),
    path("budgets/<short_name:slug>/why/", views.budget_why, name="budget-why"),
    path("budgets/<short_name:slug>/why/card/", views.budget_why_card, name="budget-why-card"),
    path("budgets/<short_name:slug>/why/line/", views.budget_why_line, name="budget-why-line"),
    path("series/budgets/<short_name:slug>/why.json", views.budget_why_series, name="budget-why-series"),
    path("export/budgets/<short_name:slug>/why.csv", views.budget_why_csv, name="budget-why-csv"),
]
