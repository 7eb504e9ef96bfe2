"""Addresses of the price pages."""

from django.urls import path

from usage.prices.pages import changing, discounting, listing, model, refreshing, repricing

urlpatterns = [
    path("settings/prices/", listing.listing, name="prices"),
    path("settings/prices/new/", changing.new, name="price-new"),
    path("settings/prices/meaning/", changing.meaning, name="price-meaning"),
    path("settings/prices/model/", model.model, name="price-model"),
    path("settings/prices/<int:pk>/edit/", changing.edit, name="price-edit"),
    path("settings/prices/<int:pk>/end/", changing.end, name="price-end-page"),
    path("settings/prices/undo/<int:told>/", changing.take_back, name="price-undo"),
    path("settings/prices/discount/", discounting.discount, name="price-discount"),
    path("settings/prices/discount/undo/<int:first>/<int:last>/", discounting.take_back, name="price-discount-undo"),
    path("settings/prices/refresh/", refreshing.refreshes, name="price-refresh"),
    path("settings/prices/refresh/check/", refreshing.check, name="price-refresh-check"),
    path("settings/prices/refresh/<int:pk>/apply/", refreshing.apply, name="price-refresh-do"),
    path("settings/prices/refresh/<int:pk>/discard/", refreshing.discard, name="price-refresh-drop"),
    path("settings/prices/reprice/", repricing.runs, name="reprice"),
    path("settings/prices/reprice/<int:pk>/", repricing.run, name="reprice-run-page"),
    path("settings/prices/reprice/<int:pk>/progress/", repricing.progress, name="reprice-run-progress"),
    path("settings/prices/reprice/<int:pk>/confirm/", repricing.confirm, name="reprice-run-go"),
    path("settings/prices/reprice/<int:pk>/discard/", repricing.discard, name="reprice-run-drop"),
    path("settings/prices/reprice/<int:pk>/again/", repricing.again, name="reprice-run-again"),
    path("export/prices.csv", listing.listing_csv, name="prices-csv"),
    path("export/unpriced-models.csv", listing.unpriced_csv, name="unpriced-csv"),
    path("export/price-history.csv", model.model_csv, name="price-history-csv"),
    path("export/price-refresh.csv", refreshing.refresh_csv, name="price-refresh-csv"),
    path("export/reprice/<int:pk>.csv", repricing.run_csv, name="reprice-csv"),
]
