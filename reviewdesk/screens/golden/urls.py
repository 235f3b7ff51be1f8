"""Addresses of the Golden screen."""

from django.urls import path

from reviewdesk.screens.golden import actions, editor, views

app_name = "golden"
urlpatterns = [
    path("", views.index, name="index"),
    path("start/", actions.start_eval_run, name="start"),
    path("runs/<int:pk>/", views.run_page, name="run"),
    path("runs/<int:pk>/cancel/", actions.cancel_eval_run, name="cancel"),
    path("promote/<uuid:pk>/", editor.promote_session, name="promote"),
    path("<int:pk>/", views.test_page, name="test"),
    path("<int:pk>/edit/", editor.edit_test, name="edit"),
    path("<int:pk>/archive/", actions.archive_test, name="archive"),
]
