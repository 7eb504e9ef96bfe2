"""Addresses of people, invitations and the profile."""

from django.urls import path

from budgets.people import api, own_pages, views

urlpatterns = [
    path("invitation/<str:token>/", own_pages.invitation, name="invitation"),
    path("profile/", own_pages.profile, name="profile"),
    path("settings/people/", views.people, name="people"),
    path("settings/people/invite/", views.invite, name="person-invite"),
    path("settings/people/<int:pk>/", views.person, name="person"),
    path("settings/people/<int:pk>/give/", views.give, name="person-give"),
    path("settings/people/<int:pk>/take/", views.take, name="person-take"),
    path("settings/people/<int:pk>/close/", views.close, name="person-close"),
    path("settings/people/<int:pk>/open/", views.reopen, name="person-open"),
    path("settings/people/<int:pk>/second-factor/remove/", views.forget_second_factor, name="person-second-factor"),
    path("settings/people/<int:pk>/undo/<int:entry>/", views.undo, name="person-undo"),
    path("settings/people/invitations/<int:pk>/again/", views.invitation_again, name="invitation-again"),
    path("settings/people/invitations/<int:pk>/revoke/", views.invitation_revoke, name="invitation-revoke"),
    path("settings/people/invitations/<int:pk>/open/", views.invitation_open, name="invitation-open"),
    path("export/people.csv", views.people_csv, name="people-csv"),
    path("api/v1/people", api.PeopleView.as_view(), name="api-people"),
    path("api/v1/people/<int:pk>/roles", api.RolesView.as_view(), name="api-person-roles"),
]
