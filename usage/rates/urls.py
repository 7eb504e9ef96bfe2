"""Pages and API of currency rates."""

from django.urls import path

from usage.rates import api, views

urlpatterns = [
    path("settings/rates/", views.rate_list, name="rates"),
    path("settings/rates/new/", views.new, name="rate-new"),
    path("settings/rates/paste/", views.paste, name="rates-paste"),
    path("settings/rates/<int:pk>/", views.edit, name="rate"),
    path("settings/rates/<int:pk>/remove/", views.remove, name="rate-remove"),
    path("settings/rates/undo/<int:entry>/", views.undo, name="rate-undo"),
    path("export/rates.csv", views.rates_csv, name="rates-csv"),
    path("api/v1/currency-rates", api.RateListView.as_view(), name="api-currency-rates"),
    path("api/v1/currency-rates/<int:pk>", api.RateView.as_view(), name="api-currency-rate"),
]
