"""Addresses of the set-up list."""

from django.urls import path

from usage.welcome import views

urlpatterns = [
    path("welcome/", views.welcome, name="welcome"),
    path("welcome/key/", views.first_key, name="welcome-key"),
    path("welcome/test/", views.test_event, name="welcome-test"),
    path("welcome/arrival/", views.arrival, name="welcome-arrival"),
    path("welcome/card/", views.card, name="welcome-card"),
    path("welcome/finish/", views.finish, name="welcome-finish"),
    path("welcome/unfinish/", views.unfinish, name="welcome-unfinish"),
    path("welcome/<slug:step>/<slug:what>/", views.said, name="welcome-said"),
]
