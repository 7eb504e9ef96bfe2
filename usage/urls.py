"""Pages and API of this floor."""

from django.urls import include, path

from usage.ingest.views import EventsView

urlpatterns = [
    path("", include("usage.coverage.urls")),
    path("", include("usage.ingest.urls")),
    path("api/v1/events", EventsView.as_view(), name="events"),
    path("api/v1/", include("usage.prices.urls")),
    path("", include("usage.prices.pages.urls")),
    path("", include("usage.welcome.urls")),
    path("", include("usage.imports.urls")),
    path("api/v1/", include("usage.imports.api_urls")),
    path("", include("usage.sharing.urls")),
    path("", include("usage.planning.urls")),
    path("", include("usage.costs.urls")),
    path("", include("usage.rates.urls")),
    path("api/v1/", include("usage.costs.api_urls")),
    path("", include("usage.outcomes.urls")),
    path("api/v1/", include("usage.outcomes.api_urls")),
    path("", include("usage.workflows.urls")),
]
