"""Addresses of approved texts."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from routing.snippets import changes, views

urlpatterns = [
    path("routing/snippets/", views.listing, name="snippets"),
    path("routing/snippets/new/", changes.new, name="snippet-new"),
    path("routing/snippets/<short_name:slug>/", views.detail, name="snippet"),
    path("routing/snippets/<short_name:slug>/edit/", changes.change, name="snippet-edit"),
    path("routing/snippets/<short_name:slug>/archive/", changes.archive, name="snippet-archive"),
    path("routing/snippets/<short_name:slug>/restore/", changes.restore, name="snippet-restore"),
    path("routing/snippets/<short_name:slug>/undo/<int:entry>/", changes.undo, name="snippet-undo"),
    path("routing/snippets/<short_name:slug>/versions/<int:number>/", views.version, name="snippet-version"),
    path("export/snippets.csv", views.snippets_csv, name="snippets-csv"),
    path("export/snippets/<short_name:slug>/versions.csv", views.versions_csv, name="snippet-versions-csv"),
]
