"""Addresses under /api/v1/."""

from django.urls import path

from usage.prices import api

urlpatterns = [
    path("prices", api.PriceListView.as_view(), name="api-prices"),
    path("prices/<int:pk>", api.PriceView.as_view(), name="price"),
    path("prices/<int:pk>/end", api.PriceEndView.as_view(), name="price-end"),
    path("reprice-runs", api.RepriceListView.as_view(), name="reprice-runs"),
    path("reprice-runs/<int:pk>", api.RepriceView.as_view(), name="reprice-run"),
    path("reprice-runs/<int:pk>/confirm", api.RepriceConfirmView.as_view(), name="reprice-run-confirm"),
    path("reprice-runs/<int:pk>/discard", api.RepriceDiscardView.as_view(), name="reprice-run-discard"),
    path("price-refreshes", api.RefreshListView.as_view(), name="price-refreshes"),
    path("price-refreshes/<int:pk>/apply", api.RefreshApplyView.as_view(), name="price-refresh-apply"),
    path("price-refreshes/<int:pk>/discard", api.RefreshDiscardView.as_view(), name="price-refresh-discard"),
]
