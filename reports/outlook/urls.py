"""Addresses of forecasts."""

from django.urls import path

from reports.outlook import views

urlpatterns = [
    path("forecast/", views.forecasts, name="forecast"),
    path("forecast/make/", views.make_now, name="forecast-make"),
    path("forecast/<str:kind>/<str:key>/", views.forecast, name="forecast-one"),
    path("series/forecast/<str:kind>/<str:key>.json", views.forecast_series, name="forecast-series"),
    path("export/forecast.csv", views.forecasts_csv, name="forecasts-csv"),
    path("export/forecast/<str:kind>/<str:key>.csv", views.forecast_csv, name="forecast-one-csv"),
]
