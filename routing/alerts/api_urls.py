"""Addresses of alerts and their rules over HTTP."""

from django.urls import path

from routing.alerts import api, rule_api

urlpatterns = [
    path("alert-triggers", rule_api.TriggerListView.as_view(), name="api-alert-triggers"),
    path("alert-rules", rule_api.RuleListView.as_view(), name="api-alert-rules"),
    path("alert-rules/<int:pk>", rule_api.RuleView.as_view(), name="api-alert-rule"),
    path("alert-rules/<int:pk>/mute", rule_api.MuteView.as_view(), name="api-alert-rule-mute"),
    path("alert-rules/<int:pk>/unmute", rule_api.UnmuteView.as_view(), name="api-alert-rule-unmute"),
    path("alert-rules/<int:pk>/test", rule_api.TrialView.as_view(), name="api-alert-rule-test"),
    path("alert-rules/<int:pk>/preview", rule_api.PreviewView.as_view(), name="api-alert-rule-preview"),
    path("alerts", api.AlertListView.as_view(), name="api-alerts"),
    path("alerts/<int:pk>", api.AlertView.as_view(), name="api-alert"),
    path("alerts/<int:pk>/acknowledge", api.AcknowledgeView.as_view(), name="api-alert-acknowledge"),
    path("alerts/<int:pk>/own", api.OwnView.as_view(), name="api-alert-own"),
    path("alerts/<int:pk>/snooze", api.SnoozeView.as_view(), name="api-alert-snooze"),
]
