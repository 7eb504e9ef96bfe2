"""Pages of saved views."""

from django.urls import path

from reports.views import pages

urlpatterns = [
    path("views/", pages.view_list, name="saved-views"),
    path("views/new/", pages.new, name="saved-view-new"),
    path("views/<int:pk>/edit/", pages.change, name="saved-view-edit"),
    path("views/<int:pk>/remove/", pages.remove, name="saved-view-remove"),
    path("views/<int:pk>/restore/", pages.restore, name="saved-view-restore"),
    path("export/views.csv", pages.views_csv, name="views-csv"),
]
