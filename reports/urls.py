"""Pages of this floor."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from reports.overview import views
from reports.reference.views import reference

urlpatterns = [
    path("", views.overview, name="overview"),
    path("overview/live/", views.live, name="overview-live"),
    path("budget-meaning/", views.meaning, name="budget-meaning"),
    path("series/spend-by-model.json", views.series, name="spend-series"),
    path("export/spend-by-model.csv", views.spend_csv, name="spend-csv"),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/", reference, name="api-reference"),
]
