"""Addresses of the history."""

from django.urls import path

from budgets.audit import views
from budgets.audit.api import HistoryView
from budgets.audit.words import register_words

register_words()

urlpatterns = [
    path("history/", views.history, name="history"),
    path("export/history.csv", views.history_csv, name="history-csv"),
    path("api/v1/history", HistoryView.as_view(), name="api-history"),
]
