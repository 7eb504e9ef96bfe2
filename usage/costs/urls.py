"""Addresses of other AI costs."""

from django.urls import path

from usage.costs import changes, views

urlpatterns = [
    path("settings/costs/", views.cost_list, name="costs"),
    path("settings/costs/new/", changes.new, name="cost-new"),
    path("settings/costs/beside/", views.beside_spend, name="costs-beside"),
    path("settings/costs/<int:pk>/", changes.change, name="cost"),
    path("settings/costs/<int:pk>/remove/", changes.remove, name="cost-remove"),
    path("settings/costs/undo/<str:entries>/", changes.undo, name="cost-undo"),
    path("settings/close/spend/", views.closing_spend, name="closing-spend"),
    path("export/costs.csv", views.costs_csv, name="costs-csv"),
    path("export/costs-by-month.csv", views.months_csv, name="costs-months-csv"),
]
