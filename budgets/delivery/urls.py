"""Addresses of channels and deliveries."""

from django.urls import path

from budgets.delivery import views

urlpatterns = [
    path("settings/channels/", views.channel_list, name="channels"),
    path("settings/channels/new/", views.channel_new, name="channel-new"),
    path("settings/channels/<int:pk>/", views.channel_edit, name="channel"),
    path("settings/channels/<int:pk>/test/", views.channel_test, name="channel-test"),
    path("settings/channels/<int:pk>/remove/", views.channel_remove, name="channel-remove"),
    path("settings/channels/<int:pk>/secret/", views.channel_secret, name="channel-secret"),
    path("settings/channels/<int:pk>/undo/<int:entry>/", views.channel_undo, name="channel-undo"),
    path("settings/deliveries/", views.delivery_list, name="deliveries"),
    path("settings/deliveries/<int:pk>/again/", views.delivery_again, name="delivery-again"),
    path("export/deliveries.csv", views.deliveries_csv, name="deliveries-csv"),
]
