"""Addresses of the Autonomy screen."""

from django.urls import path
from django.views.generic import RedirectView

app_name = "autonomy"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="sessions:index"), name="index"),
]
