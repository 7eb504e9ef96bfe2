"""Pages, data and files of the explorer."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from reports.spend import call_pages, run_pages, views

urlpatterns = [
    path("spend/", views.explorer, name="spend"),
    path("spend/values/<slug:dimension>/", views.values, name="spend-values"),
    path("series/spend.json", views.series, name="explorer-series"),
    path("spend/runs/", run_pages.run_list, name="spend-runs"),
    path("spend/runs/<short_name:workflow>/", run_pages.run_by_id, name="spend-run-by-id"),
    path("spend/runs/<short_name:workflow>/<path:run_id>/", run_pages.run, name="spend-run"),
    path("spend/calls/", call_pages.call_list, name="spend-calls"),
    path("spend/calls/<int:moment>/<int:pk>/", call_pages.call, name="spend-call"),
    path("series/spend/calls.json", call_pages.calls_series, name="spend-calls-series"),
    path("export/spend/runs.csv", run_pages.runs_csv, name="spend-runs-csv"),
    path("export/spend/runs/<short_name:workflow>.csv", run_pages.run_csv_by_id, name="spend-run-by-id-csv"),
    path("export/spend/runs/<short_name:workflow>/<path:run_id>.csv", run_pages.run_csv, name="spend-run-csv"),
    path("export/spend/calls.csv", call_pages.calls_csv, name="spend-calls-csv"),
    path("export/spend.csv", views.explorer_csv, name="explorer-csv"),
]
