"""Addresses of the Approvals screen."""

from django.urls import path

from reviewdesk.screens.approvals import actions, views

app_name = "approvals"
urlpatterns = [
    path("", views.index, name="index"),
    path("decided/", views.decided, name="decided"),
    path("<int:pk>/", views.call, name="call"),
    path("<int:pk>/approve/", actions.approve_call, name="approve"),
    path("<int:pk>/edit/", actions.edit_call, name="edit"),
    path("<int:pk>/reject/", actions.reject_call, name="reject"),
    path("<int:pk>/judge/", actions.judge_suggestion, name="judge"),
]
