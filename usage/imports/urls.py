"""Addresses of the pages of imports."""

from django.urls import path

from usage.imports import changes, views

urlpatterns = [
    path("settings/imports/", views.import_list, name="imports"),
    path("settings/imports/upload/", changes.upload, name="import-upload"),
    path("settings/imports/example/<slug:key>.csv", views.example, name="import-example"),
    path("settings/imports/<int:pk>/", views.import_page, name="import"),
    path("settings/imports/<int:pk>/progress/", views.progress, name="import-progress"),
    path("settings/imports/<int:pk>/columns/", changes.columns, name="import-columns"),
    path("settings/imports/<int:pk>/again/", changes.again, name="import-again"),
    path("settings/imports/<int:pk>/confirm/", changes.confirm, name="import-confirm"),
    path("settings/imports/<int:pk>/go-on/", changes.go_on, name="import-go-on"),
    path("settings/imports/<int:pk>/discard/", changes.discard, name="import-discard"),
    path("settings/imports/<int:pk>/undo/", changes.undo, name="import-undo"),
    path("export/imports.csv", views.imports_csv, name="imports-csv"),
    path("export/imports/<int:pk>/bad-lines.csv", views.errors_csv, name="import-errors-csv"),
]
