"""Addresses of other costs under /api/v1/."""

from django.urls import path

from usage.costs import api

urlpatterns = [
    path("other-costs", api.CostListView.as_view(), name="api-other-costs"),
    path("other-costs/<int:pk>", api.CostView.as_view(), name="api-other-cost"),
]
