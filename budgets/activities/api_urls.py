"""Addresses of planned activity under /api/v1/."""

from django.urls import path

from budgets.activities import api

urlpatterns = [
    path("activities", api.ActivityListView.as_view(), name="api-activities"),
    path("activities/occurrences", api.OccurrencesView.as_view(), name="api-occurrences"),
    path("activities/<int:pk>", api.ActivityView.as_view(), name="api-activity"),
]
