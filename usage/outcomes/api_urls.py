"""Addresses of outcomes under /api/v1/. A `run_id` may hold slashes."""

from django.urls import path

from usage.outcomes import api

urlpatterns = [
    path("runs/<path:run_id>/outcome", api.OutcomeView.as_view(), name="api-outcome"),
    path("outcomes", api.OutcomesView.as_view(), name="api-outcomes"),
]
