"""Addresses of reports that come to people."""

from django.urls import path

from reports.mailed import stopping, views

urlpatterns = [
    path("settings/reports/", views.mailed_reports, name="mailed-reports"),
    path("settings/reports/new/", views.new_report, name="mailed-report-new"),
    path("settings/reports/<int:pk>/", views.preview, name="mailed-report"),
    path("settings/reports/<int:pk>/send/", views.send_one, name="mailed-report-send"),
    path("settings/reports/<int:pk>/end/", views.stop_one, name="mailed-report-stop"),
    path("settings/reports/<int:pk>/resume/", views.resume_one, name="mailed-report-resume"),
    path("reports/end/<str:token>/", stopping.end, name="mailed-report-end"),
]
