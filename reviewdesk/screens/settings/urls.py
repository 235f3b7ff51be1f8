"""Addresses of the Settings screen."""

from django.urls import path

from reviewdesk.screens.settings import actions, views

app_name = "settings"
urlpatterns = [
    path("", views.members, name="index"),
    path("members/add/", actions.add_member, name="add_member"),
    path("members/<int:pk>/change-role/", actions.change_role, name="change_role"),
    path("members/<int:pk>/remove/", actions.remove_member, name="remove_member"),
    path("members/<int:pk>/make-link/", actions.make_link, name="make_link"),
    path("keys/", views.keys, name="keys"),
    path("keys/create/", actions.create_key, name="create_key"),
    path("keys/<int:pk>/revoke/", actions.revoke_key, name="revoke_key"),
    path("project/", views.project_page, name="project"),
    path("project/rename/", actions.rename_project, name="rename_project"),
    path("project/create/", actions.create_project, name="create_project"),
    path("labels/", views.label_set, name="labels"),
    path("audit/", views.audit, name="audit"),
]
