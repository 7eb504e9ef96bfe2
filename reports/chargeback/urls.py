"""Addresses of statements."""

from django.urls import path, register_converter

from reports.chargeback import views
from reports.chargeback.months import MonthConverter

register_converter(MonthConverter, "month")

urlpatterns = [
    path("settings/chargeback/", views.chargeback, name="chargeback"),
    path("settings/chargeback/<month:month>/<str:team>/", views.statement, name="chargeback-statement"),
    path("export/chargeback.csv", views.chargeback_csv, name="chargeback-csv"),
]
