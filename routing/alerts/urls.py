"""Addresses of alerts and of the rules that raise them."""

from django.urls import path

from routing.alerts import rule_views, views

urlpatterns = [
    path("alerts/", views.alert_list, name="alerts"),
    path("alerts/new/", rule_views.new, name="alert-rule-new"),
    path("alerts/preview/", rule_views.preview, name="alerts-preview"),
    path("alerts/acknowledge/", views.acknowledge_several, name="alerts-acknowledge"),
    path("alerts/undo/<slug:together>/", views.undo_several, name="alerts-undo"),
    path("alerts/rules/", rule_views.rule_list, name="alert-rules"),
    path("alerts/rules/<int:pk>/edit/", rule_views.change, name="alert-rule"),
    path("alerts/rules/<int:pk>/mute/", rule_views.mute, name="alert-rule-mute"),
    path("alerts/rules/<int:pk>/unmute/", rule_views.unmute, name="alert-rule-unmute"),
    path("alerts/rules/<int:pk>/test/", rule_views.test, name="alert-rule-test"),
    path("alerts/rules/<int:pk>/archive/", rule_views.archive, name="alert-rule-archive"),
    path("alerts/rules/<int:pk>/undo/<int:entry>/", rule_views.undo, name="alert-rule-undo"),
    path("alerts/<int:pk>/", views.detail, name="alert"),
    *(path(f"alerts/<int:pk>/{what}/", views.act, {"what": what}, name=f"alert-{what}") for what in views.ACTS),
    path("alerts/<int:pk>/undo/<int:entry>/", views.undo, name="alert-undo"),
    path("export/alerts.csv", views.alerts_csv, name="alerts-csv"),
    path("export/alert-rules.csv", rule_views.rules_csv, name="alert-rules-csv"),
]
