"""Addresses of replays over HTTP."""

from django.urls import path

from routing.replay import api, calls_api

ALL = "policy/drafts/<int:draft>/replays"
ONE = f"{ALL}/<int:pk>"

urlpatterns = [
    path(ALL, api.ReplayListView.as_view(), name="api-policy-replays"),
    path(ONE, api.ReplayView.as_view(), name="api-policy-replay"),
    path(f"{ONE}/calls", calls_api.ReplayCallsView.as_view(), name="api-policy-replay-calls"),
    path(f"{ONE}/stop", api.ReplayStopView.as_view(), name="api-policy-replay-stop"),
]
