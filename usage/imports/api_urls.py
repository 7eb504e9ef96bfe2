"""Addresses of imports under /api/v1/."""

from django.urls import path

from usage.imports import api

urlpatterns = [
    path("imports", api.ImportListView.as_view(), name="api-imports"),
    path("imports/<int:pk>", api.ImportView.as_view(), name="api-import"),
    path("imports/<int:pk>/columns", api.ColumnsView.as_view(), name="api-import-columns"),
    path("imports/<int:pk>/problems", api.ProblemsView.as_view(), name="api-import-problems"),
    path("imports/<int:pk>/confirm", api.ConfirmView.as_view(), name="api-import-confirm"),
    path("imports/<int:pk>/go-on", api.GoOnView.as_view(), name="api-import-go-on"),
    path("imports/<int:pk>/discard", api.DiscardView.as_view(), name="api-import-discard"),
    path("imports/<int:pk>/undo", api.UndoView.as_view(), name="api-import-undo"),
]
