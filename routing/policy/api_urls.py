"""Addresses of policies over HTTP."""

from django.urls import path

from routing.policy import api

VERSION, DRAFT = "policy/versions/<int:number>", "policy/drafts/<int:pk>"

urlpatterns = [
    path("policy", api.LiveView.as_view(), name="api-policy"),
    path("policy/versions", api.VersionListView.as_view(), name="api-policy-versions"),
    path(VERSION, api.VersionView.as_view(), name="api-policy-version"),
    path(f"{VERSION}/roll-back", api.RollBackView.as_view(), name="api-policy-roll-back"),
    path(f"{VERSION}/compare", api.CompareVersionsView.as_view(), name="api-policy-version-compare"),
    path("policy/drafts", api.DraftListView.as_view(), name="api-policy-drafts"),
    path(DRAFT, api.DraftView.as_view(), name="api-policy-draft"),
    path(f"{DRAFT}/validate", api.ValidateView.as_view(), name="api-policy-draft-validate"),
    path(f"{DRAFT}/compare", api.CompareDraftView.as_view(), name="api-policy-draft-compare"),
    path(f"{DRAFT}/publish", api.PublishView.as_view(), name="api-policy-draft-publish"),
    path(f"{DRAFT}/restore", api.RestoreView.as_view(), name="api-policy-draft-restore"),
]
