"""Addresses of the Incidents screen."""

from django.urls import path

from reviewdesk.screens.incidents import actions, views

app_name = "incidents"
urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.new_incident, name="new"),
    path("open/", actions.open_incident, name="open"),
    path("<int:number>/", views.incident_page, name="incident"),
    path("<int:number>/note/", actions.add_note, name="add_note"),
    path("<int:number>/assign/", actions.assign_incident, name="assign"),
    path("<int:number>/change-hold/", actions.change_hold, name="change_hold"),
    path("<int:number>/change-severity/", actions.change_severity, name="change_severity"),
    path("<int:number>/mitigate/", actions.mitigate_incident, name="mitigate"),
    path("<int:number>/close/", actions.close_incident, name="close"),
    path("<int:number>/reopen/", actions.reopen_incident, name="reopen"),
]
