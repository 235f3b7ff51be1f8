"""Addresses of the Releases screen."""

from django.urls import path

from reviewdesk.screens.releases import actions, new_agent, views

app_name = "releases"
urlpatterns = [
    path("", views.index, name="index"),
    path("new-agent/", new_agent.new_agent, name="new_agent"),
    path("new-agent/add/", new_agent.add_agent, name="add_agent"),
    path("<int:pk>/", views.release_page, name="release"),
    path("<int:pk>/approve/", actions.approve_release, name="approve"),
    path("<int:pk>/refuse/", actions.refuse_release, name="refuse"),
    path("<int:pk>/withdraw/", actions.withdraw_release, name="withdraw"),
    path("<slug:agent>/new/", views.new_version, name="new"),
    path("<slug:agent>/create/", actions.create_version, name="create"),
    path("<slug:agent>/preview/", views.preview_version, name="preview"),
    path("<slug:agent>/roll-back/", actions.roll_back, name="roll_back"),
    path("<slug:agent>/v<int:number>/", views.version_page, name="version"),
    path("<slug:agent>/v<int:number>/request/", actions.request_release, name="request"),
]
