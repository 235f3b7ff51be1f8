"""Addresses of the Settings screen."""

from django.urls import path

from reviewdesk.screens.settings import actions, masking, prices, retention, views

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
    path("masking/", masking.masking, name="masking"),
    path("masking/set/", masking.set_masking, name="set_masking"),
    path("masking/try/", masking.try_masking, name="try_masking"),
    path("retention/", retention.retention, name="retention"),
    path("retention/preview/", retention.preview_retention, name="preview_retention"),
    path("retention/set/", retention.set_retention, name="set_retention"),
    path("retention/find/", retention.find_customer, name="find_customer"),
    path("retention/erase/", retention.erase_customer, name="erase_customer"),
    path("prices/", prices.prices, name="prices"),
    path("prices/progress/", prices.repricing, name="repricing"),
    path("prices/set/", prices.set_price, name="set_price"),
    path("prices/<int:pk>/remove/", prices.remove_price, name="remove_price"),
    path("prices/recompute/", prices.recompute_costs, name="recompute_costs"),
    path("audit/", views.audit, name="audit"),
]
