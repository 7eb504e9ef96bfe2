"""Addresses of FOCUS files."""

from django.urls import path

from reports.chargeback import urls  # noqa: F401  (registers the converter `month`)
from reports.focus import views

urlpatterns = [
    path("settings/focus/", views.focus, name="focus"),
    path("export/focus/<str:version>/<month:month>.<str:form>", views.focus_file, name="focus-file"),
]
