"""Addresses of the organisation's settings."""

from django.urls import path

from budgets.organisation import views

urlpatterns = [
    path("settings/", views.settings, name="settings"),
    path("settings/close/", views.close, name="settings-close"),
    path("settings/open/", views.reopen, name="settings-open"),
    path("settings/undo/<int:entry>/", views.undo, name="settings-undo"),
]
