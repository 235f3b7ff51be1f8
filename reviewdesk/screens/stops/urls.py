"""Addresses of the kill switch."""

from django.urls import path

from reviewdesk.screens.stops import actions, views

app_name = "stops"
urlpatterns = [
    path("", views.index, name="index"),
    path("banner/", views.banner, name="banner"),
    path("new/", views.new, name="new"),
    path("stop/", actions.stop, name="stop"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/lift/", actions.lift, name="lift"),
]
