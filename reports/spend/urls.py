"""Pages, data and files of the explorer."""

from django.urls import path

from reports.spend import views

urlpatterns = [
    path("spend/", views.explorer, name="spend"),
    path("spend/values/<slug:dimension>/", views.values, name="spend-values"),
    path("series/spend.json", views.series, name="explorer-series"),
    path("export/spend.csv", views.explorer_csv, name="explorer-csv"),
]
