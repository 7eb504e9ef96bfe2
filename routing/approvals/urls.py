"""Addresses of requests and of the rules of who decides them."""

from django.urls import path

from routing.approvals import rule_views, views

urlpatterns = [
    path("approvals/", views.request_list, name="approvals"),
    path("approvals/new/", views.new, name="approval-new"),
    path("approvals/card/", views.card, name="approvals-card"),
    path("approvals/count/", views.count, name="approvals-count"),
    path("approvals/rules/", rule_views.rule_list, name="approval-rules"),
    path("approvals/rules/new/", rule_views.new, name="approval-rule-new"),
    path("approvals/rules/<int:pk>/", rule_views.change, name="approval-rule"),
    path("approvals/rules/<int:pk>/move/", rule_views.move, name="approval-rule-move"),
    path("approvals/rules/<int:pk>/archive/", rule_views.archive, name="approval-rule-archive"),
    path("approvals/rules/undo/<int:entry>/", rule_views.undo, name="approval-rule-undo"),
    path("approvals/<int:pk>/", views.detail, name="approval"),
    path("approvals/<int:pk>/<slug:what>/", views.act, name="approval-act"),
    path("export/approvals.csv", views.request_csv, name="approvals-csv"),
    path("export/approval-rules.csv", rule_views.rules_csv, name="approval-rules-csv"),
]
