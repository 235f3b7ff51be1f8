"""Addresses of the Judges pages."""

from django.urls import path

from reviewdesk.screens.judges import actions, views

app_name = "judges"
urlpatterns = [
    path("", views.index, name="index"),
    path("new/", actions.new_judge, name="new"),
    path("<slug:judge>/", views.judge_page, name="judge"),
    path("<slug:judge>/v<int:number>/", views.judge_page, name="version"),
    path("<slug:judge>/v<int:number>/state/", views.state, name="state"),
    path("<slug:judge>/v<int:number>/ask/", actions.ask, name="ask"),
    path("<slug:judge>/v<int:number>/stop/", actions.stop_asking, name="stop"),
    path("<slug:judge>/v<int:number>/relabel/", actions.relabel, name="relabel"),
    path("<slug:judge>/edit/", actions.write_version, name="edit"),
    path("<slug:judge>/archive/", actions.archive, name="archive"),
]
