"""Addresses of the Sessions screen."""

from django.urls import path

from reviewdesk.screens.sessions import detail, label_views, run_views, spans, views

app_name = "sessions"
urlpatterns = [
    path("", views.index, name="index"),
    path("start/", run_views.start, name="start"),
    path("<uuid:pk>/", detail.detail, name="detail"),
    path("<uuid:pk>/live/", detail.live, name="live"),
    path("<uuid:pk>/curl/", spans.session_curl, name="curl"),
    path("<uuid:pk>/spans/<str:span_id>/", spans.span, name="span"),
    path("<uuid:pk>/spans/<str:span_id>/json/", spans.as_json, name="span_json"),
    path("<uuid:pk>/spans/<str:span_id>/curl/", spans.as_curl, name="span_curl"),
    path("<uuid:pk>/spans/<str:span_id>/part/<slug:key>/", spans.part, name="span_part"),
    path("<uuid:pk>/label/draft/", label_views.save_draft, name="save_draft"),
    path("<uuid:pk>/label/complete/", label_views.complete, name="complete_label"),
    path("<uuid:pk>/label/reopen/", label_views.reopen, name="reopen_label"),
    path("<uuid:pk>/continue/", run_views.continue_as_customer, name="continue"),
    path("<uuid:pk>/cancel/", run_views.cancel, name="cancel"),
    path("<uuid:pk>/again/", run_views.run_again, name="run_again"),
]
