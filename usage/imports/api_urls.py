"""Addresses under /api/v1/imports."""

from django.urls import path

from usage.imports import api

urlpatterns = [
    path("", api.ImportListView.as_view(), name="api-imports"),
    path("/<int:pk>", api.ImportView.as_view(), name="api-import"),
    path("/<int:pk>/columns", api.ColumnsView.as_view(), name="api-import-columns"),
    path("/<int:pk>/problems", api.ProblemsView.as_view(), name="api-import-problems"),
    path("/<int:pk>/confirm", api.ConfirmView.as_view(), name="api-import-confirm"),
    path("/<int:pk>/go-on", api.GoOnView.as_view(), name="api-import-go-on"),
    path("/<int:pk>/discard", api.DiscardView.as_view(), name="api-import-discard"),
    path("/<int:pk>/undo", api.UndoView.as_view(), name="api-import-undo"),
]
