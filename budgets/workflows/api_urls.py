"""Addresses of workflows and teams under /api/v1/."""

from django.urls import path

from budgets.limits import api_urls  # noqa: F401  (registers the converter `short_name`)
from budgets.workflows import api, teams_api

ONE = "workflows/<short_name:slug>"
urlpatterns = [
    path("workflows", api.WorkflowListView.as_view(), name="api-workflows"),
    path(ONE, api.WorkflowView.as_view(), name="api-workflow"),
    path(f"{ONE}/claim", api.WorkflowClaimView.as_view(), name="api-workflow-claim"),
    path(f"{ONE}/ignore", api.WorkflowIgnoreView.as_view(), name="api-workflow-ignore"),
    path(f"{ONE}/take-back", api.WorkflowTakeBackView.as_view(), name="api-workflow-take-back"),
    path(f"{ONE}/merge", api.WorkflowMergeView.as_view(), name="api-workflow-merge"),
    path(f"{ONE}/unmerge", api.WorkflowUnmergeView.as_view(), name="api-workflow-unmerge"),
    path(f"{ONE}/production", api.WorkflowProductionView.as_view(), name="api-workflow-production"),
    path(f"{ONE}/draft", api.WorkflowDraftView.as_view(), name="api-workflow-draft"),
    path(f"{ONE}/pause", api.WorkflowPauseView.as_view(), name="api-workflow-pause"),
    path(f"{ONE}/resume", api.WorkflowResumeView.as_view(), name="api-workflow-resume"),
    path(f"{ONE}/undo", api.WorkflowUndoView.as_view(), name="api-workflow-undo"),
    path("teams", teams_api.TeamListView.as_view(), name="api-teams"),
    path("teams/<short_name:slug>", teams_api.TeamView.as_view(), name="api-team"),
]
