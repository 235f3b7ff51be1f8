"""Addresses of the Sessions screen."""

from django.urls import path

from reviewdesk.screens.sessions import views

app_name = "sessions"
urlpatterns = [
    path("", views.index, name="index"),
]
