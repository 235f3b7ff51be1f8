"""Addresses of the Overview screen."""

from django.urls import path

from reviewdesk.screens.overview import views

app_name = "overview"
urlpatterns = [
    path("", views.index, name="index"),
    path("figures/<slug:key>/", views.figure, name="figure"),
]
