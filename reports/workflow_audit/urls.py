"""Addresses of the audits of workflows."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from reports.workflow_audit import views

AUDIT = "workflows/<short_name:slug>/audit/"

urlpatterns = [
    path(AUDIT, views.audit, name="workflow-audit"),
    path(f"{AUDIT}start/", views.begin, name="workflow-audit-start"),
    path(f"{AUDIT}<int:pk>/", views.report, name="workflow-audit-report"),
    path(f"{AUDIT}<int:pk>/stop/", views.end, name="workflow-audit-stop"),
    path("export/workflows/<short_name:slug>/audits/<int:pk>.csv", views.audit_csv, name="workflow-audit-csv"),
]
