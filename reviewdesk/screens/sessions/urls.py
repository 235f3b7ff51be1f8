"""Addresses of the Sessions screen."""

from django.urls import path

from reviewdesk.screens.sessions import (
    bulk_views,
    compare_views,
    detail,
    export_views,
    label_views,
    run_views,
    saved_views,
    spans,
    views,
)

app_name = "sessions"
urlpatterns = [
    path("", views.index, name="index"),
    path("complete/", views.complete, name="complete"),
    path("columns/", views.choose_columns, name="choose_columns"),
    path("label/", bulk_views.bulk_label, name="bulk_label"),
    path("label/undo/", bulk_views.undo_bulk_label, name="undo_bulk_label"),
    path("queue/", bulk_views.bulk_queue, name="bulk_queue"),
    path("queue/remove/", bulk_views.bulk_unqueue, name="bulk_unqueue"),
    path("beside/", compare_views.compare_chosen, name="compare_chosen"),
    path("export/", export_views.export, name="export"),
    path("views/", saved_views.collections, name="collections"),
    path("views/save/", saved_views.save_view, name="save_view"),
    path("views/<int:pk>/rename/", saved_views.rename_view, name="rename_view"),
    path("views/<int:pk>/share/", saved_views.share_view, name="share_view"),
    path("views/<int:pk>/delete/", saved_views.delete_view, name="delete_view"),
    path("queues/<int:pk>/rename/", saved_views.rename_queue, name="rename_queue"),
    path("queues/<int:pk>/delete/", saved_views.delete_queue, name="delete_queue"),
    path("start/", run_views.start, name="start"),
    path("<uuid:pk>/", detail.detail, name="detail"),
    path("<uuid:pk>/live/", detail.live, name="live"),
    path("<uuid:pk>/beside/", compare_views.choose, name="choose"),
    path("<uuid:pk>/beside/<uuid:other>/", compare_views.compare, name="compare"),
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
