"""Pages and API of this floor."""

from django.urls import include, path

urlpatterns = [
    path("", include("budgets.pages.urls")),
]
