"""Pages and API of this floor."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("budgets.limits.api_urls")),
    path("", include("budgets.pages.urls")),
]
