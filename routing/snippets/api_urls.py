"""Addresses of approved texts under /api/v1/."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from routing.snippets import api

urlpatterns = [
    path("snippets", api.SnippetListView.as_view(), name="api-snippets"),
    path("snippets/<short_name:slug>", api.SnippetView.as_view(), name="api-snippet"),
]
