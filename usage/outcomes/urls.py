"""Addresses of outcomes."""

from django.urls import path

from usage.outcomes import views

urlpatterns = [
    path("outcomes/", views.outcomes, name="outcomes"),
    path("outcomes/<int:pk>/", views.outcome, name="outcome"),
    path("outcomes/<int:pk>/<int:message>/undo/", views.undo, name="outcome-undo"),
    path("outcomes/<int:pk>/<int:message>/redo/", views.redo, name="outcome-redo"),
    path("export/outcomes.csv", views.outcomes_csv, name="outcomes-csv"),
]
