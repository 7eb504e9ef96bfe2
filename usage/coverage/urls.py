"""Addresses of data health and of sources."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from usage.coverage import source_views, views

urlpatterns = [
    path("data/", views.data_health, name="data-health"),
    path("export/data-health.csv", views.health_csv, name="data-health-csv"),
    path("settings/sources/", source_views.source_list, name="sources"),
    path("settings/sources/<short_name:slug>/", source_views.source, name="source"),
    path("settings/sources/<short_name:slug>/undo/<int:entry>/", source_views.undo, name="source-undo"),
    path("export/sources.csv", source_views.sources_csv, name="sources-csv"),
]
