"""Addresses of the calendar."""

from django.urls import path

from budgets.activities import bringing, changes, views

urlpatterns = [
    path("calendar/", views.calendar, name="calendar"),
    path("calendar/new/", changes.new, name="calendar-new"),
    path("calendar/import/", bringing.bring, name="calendar-import"),
    path("calendar/import/<slug:token>/undo/", bringing.undo, name="calendar-import-undo"),
    path("calendar/<int:pk>/", changes.change, name="activity"),
    path("calendar/<int:pk>/remove/", changes.remove, name="activity-remove"),
    path("calendar/undo/<int:entry>/", changes.undo, name="calendar-undo"),
    path("export/calendar.csv", views.calendar_csv, name="calendar-csv"),
    path("export/calendar.ics", views.calendar_ics, name="calendar-ics"),
]
