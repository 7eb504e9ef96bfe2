"""Addresses of requests over HTTP."""

from django.urls import path

from routing.approvals import api

urlpatterns = [
    path("approval-requests", api.RequestListView.as_view(), name="api-approvals"),
    path("approval-requests/<int:pk>", api.RequestView.as_view(), name="api-approval"),
    path("approval-requests/<int:pk>/approve", api.ApproveView.as_view(), name="api-approval-approve"),
    path("approval-requests/<int:pk>/decline", api.DeclineView.as_view(), name="api-approval-decline"),
    path("approval-requests/<int:pk>/undo", api.UndoView.as_view(), name="api-approval-undo"),
    path("approval-requests/<int:pk>/withdraw", api.WithdrawView.as_view(), name="api-approval-withdraw"),
    path("approval-rules", api.RuleListView.as_view(), name="api-approval-rules"),
    path("grants", api.GrantListView.as_view(), name="api-grants"),
]
