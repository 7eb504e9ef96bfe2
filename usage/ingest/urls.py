"""Addresses of the quarantine."""

from django.urls import path

from usage.ingest import item_views, quarantine_views

urlpatterns = [
    path("data/quarantine/", quarantine_views.quarantine, name="quarantine"),
    path("data/quarantine/send/", quarantine_views.send_all, name="quarantine-send"),
    path("data/quarantine/sending/", quarantine_views.sending_live, name="quarantine-sending"),
    path("data/quarantine/<int:pk>/", item_views.item, name="quarantine-item"),
    path("data/quarantine/<int:pk>/discard/", item_views.discard, name="quarantine-discard"),
    path("data/quarantine/<int:pk>/restore/", item_views.restore, name="quarantine-restore"),
    path("export/quarantine.csv", quarantine_views.quarantine_csv, name="quarantine-csv"),
]
