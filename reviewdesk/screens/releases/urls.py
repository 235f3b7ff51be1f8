"""Addresses of the Releases screen."""

from django.urls import path
from django.views.generic import RedirectView

app_name = "releases"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="sessions:index"), name="index"),
]
