"""Addresses of the figures."""

from django.urls import path

from reports.figures import views
from reports.figures.api import FiguresView

urlpatterns = [
    path("figures/", views.page, name="figures"),
    path("series/figures.json", views.series, name="figures-series"),
    path("export/figures.csv", views.figures_csv, name="figures-csv"),
    path("export/figures/<slug:name>.csv", views.table_csv, name="figures-table-csv"),
    path("api/v1/figures", FiguresView.as_view(), name="api-figures"),
]
