"""Addresses of the Sessions screen."""

from django.urls import path

from reviewdesk.screens.sessions import views

app_name = "sessions"
urlpatterns = [
    path("", views.index, name="index"),
    path("start/", views.index, name="start"),
    path("<uuid:pk>/", views.index, name="detail"),
]
