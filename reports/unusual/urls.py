"""Addresses of unusual spend."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from reports.unusual import api, changes, stopping, stopping_api, views

urlpatterns = [
    path("unusual/", views.finding_list, name="unusual"),
    path("unusual/card/", views.card, name="unusual-card"),
    path("unusual/<int:pk>/", views.detail, name="unusual-finding"),
    *(
        path(f"unusual/<int:pk>/{what}/", changes.state, {"what": what}, name=f"unusual-{what}")
        for what in changes.STATES
    ),
    path("unusual/<int:pk>/owner/", changes.owner, name="unusual-owner"),
    path("unusual/<int:pk>/take-back/", changes.take_back, name="unusual-take-back"),
    path("unusual/<int:pk>/undo/<int:entry>/", changes.undo, name="unusual-undo"),
    path("runs/<short_name:workflow>/stop/", stopping.stop, name="run-stop"),
    path("runs/<short_name:workflow>/go-on/", stopping.go_on, name="run-go-on"),
    path("export/unusual.csv", views.findings_csv, name="unusual-csv"),
    path("export/unusual/<int:pk>.csv", views.points_csv, name="unusual-points-csv"),
    path("api/v1/runs/<path:run_id>/stop", stopping_api.RunStopView.as_view(), name="api-run-stop"),
    path("api/v1/runs/<path:run_id>/go-on", stopping_api.RunGoOnView.as_view(), name="api-run-go-on"),
    path("api/v1/findings", api.FindingListView.as_view(), name="api-findings"),
    path("api/v1/findings/<int:pk>", api.FindingView.as_view(), name="api-finding"),
    path("api/v1/findings/<int:pk>/state", api.FindingStateView.as_view(), name="api-finding-state"),
]
