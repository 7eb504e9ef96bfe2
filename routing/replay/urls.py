"""Addresses of the preview of a policy on past calls."""

from django.urls import path

from routing.replay import lists, views

HERE = "routing/drafts/<int:version_pk>/preview/<int:pk>/"
EXPORT = "export/routing/drafts/<int:version_pk>/preview/<int:pk>"

urlpatterns = [
    path("routing/drafts/<int:pk>/preview/", views.preview, name="policy-preview"),
    path(HERE, views.one, name="policy-replay"),
    path(f"{HERE}progress/", views.progress, name="policy-replay-progress"),
    path(f"{HERE}stop/", views.call_off, name="policy-replay-stop"),
    path(f"{HERE}calls/", lists.calls, name="policy-replay-calls"),
    path(f"{EXPORT}.csv", lists.summary_csv, name="policy-replay-csv"),
    path(f"{EXPORT}/workflows.csv", lists.workflows_csv, name="policy-replay-workflows-csv"),
    path(f"{EXPORT}/tiers.csv", lists.tiers_csv, name="policy-replay-tiers-csv"),
    path(f"{EXPORT}/reasons.csv", lists.reasons_csv, name="policy-replay-reasons-csv"),
    path(f"{EXPORT}/calls.csv", lists.calls_csv, name="policy-replay-calls-csv"),
]
