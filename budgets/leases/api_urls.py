"""Addresses of leases over HTTP."""

from django.urls import path

from budgets.leases import api

urlpatterns = [
    path("leases", api.LeaseListView.as_view(), name="api-leases"),
    path("leases/<slug:key>/release", api.ReleaseView.as_view(), name="api-lease-release"),
    path("leases/<slug:key>/renew", api.RenewView.as_view(), name="api-lease-renew"),
]
