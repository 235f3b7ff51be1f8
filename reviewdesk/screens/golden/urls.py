"""Addresses of the Golden screen."""

from django.urls import path
from django.views.generic import RedirectView

app_name = "golden"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="sessions:index"), name="index"),
]
