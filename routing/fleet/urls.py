"""Addresses of the fleet."""

from django.urls import path

from routing.bundle.answer import BUNDLE_PATH
from routing.fleet import api, views

urlpatterns = [
    path("data/gateways/", views.gateways, name="gateways"),
    path("data/gateways/card/", views.gateways_card, name="gateways-card"),
    path("export/gateways.csv", views.gateways_csv, name="gateways-csv"),
    path(f"{BUNDLE_PATH.lstrip('/')}/status", api.StatusView.as_view(), name="policy-bundle-status"),
    path(f"{BUNDLE_PATH.lstrip('/')}/clients", api.FleetView.as_view(), name="policy-bundle-clients"),
]
