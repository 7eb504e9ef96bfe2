"""Addresses of the key pages and their API."""

from django.urls import path

from budgets.access import api, key_acts, key_views

urlpatterns = [
    path("settings/keys/", key_views.key_list, name="keys"),
    path("settings/keys/new/", key_acts.new, name="key-new"),
    path("settings/keys/<int:pk>/", key_views.key, name="key"),
    path("settings/keys/<int:pk>/edit/", key_acts.edit, name="key-edit"),
    path("settings/keys/<int:pk>/rotate/", key_acts.rotate, name="key-rotate"),
    path("settings/keys/<int:pk>/revoke/", key_acts.revoke, name="key-revoke"),
    path("settings/keys/<int:pk>/undo/<int:entry>/", key_acts.undo, name="key-undo"),
    path("export/keys.csv", key_views.keys_csv, name="keys-csv"),
    path("api/v1/keys", api.KeyListView.as_view(), name="api-keys"),
    path("api/v1/keys/<int:pk>/rotate", api.KeyRotateView.as_view(), name="api-key-rotate"),
    path("api/v1/keys/<int:pk>/revoke", api.KeyRevokeView.as_view(), name="api-key-revoke"),
]
