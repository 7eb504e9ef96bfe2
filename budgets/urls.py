"""Pages and API of this floor."""

from django.urls import include, path

from budgets.organisation.api import OrganisationView

urlpatterns = [
    path("api/v1/", include("budgets.limits.api_urls")),
    path("api/v1/", include("budgets.workflows.api_urls")),
    path("api/v1/", include("budgets.leases.api_urls")),
    path("api/v1/organisation", OrganisationView.as_view(), name="api-organisation"),
    path("api/v1/", include("budgets.activities.api_urls")),
    path("", include("budgets.people.sign_in_urls")),
    path("", include("budgets.people.urls")),
    path("", include("budgets.pages.urls")),
    path("", include("budgets.audit.urls")),
    path("", include("budgets.access.urls")),
    path("", include("budgets.organisation.urls")),
    path("", include("budgets.activities.urls")),
    path("", include("budgets.delivery.urls")),
]
