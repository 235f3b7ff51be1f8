"""Addresses of the Golden screen."""

from django.urls import path

from reviewdesk.screens.golden import (
    actions,
    adversarial_views,
    editor,
    exchange_views,
    gate_views,
    manage,
    policy_views,
    promote_views,
    run_views,
    views,
)

app_name = "golden"
urlpatterns = [
    path("", views.index, name="index"),
    path("start/", actions.start_eval_run, name="start"),
    path("runs/", run_views.runs_page, name="runs"),
    path("runs/<int:pk>/", run_views.run_page, name="run"),
    path("runs/<int:pk>/cancel/", actions.cancel_eval_run, name="cancel"),
    path("compare/", run_views.compare_chosen, name="compare_chosen"),
    path("compare/<int:before>/<int:now>/", run_views.compare_page, name="compare"),
    path("gates/", gate_views.gates_page, name="gates"),
    path("gates/new/", gate_views.new_gate, name="new_gate"),
    path("gates/start/", gate_views.start, name="start_gate"),
    path("gates/<int:pk>/", gate_views.gate_page, name="gate"),
    path("gates/<int:pk>/cancel/", gate_views.cancel, name="cancel_gate"),
    path("rules/", policy_views.policy_page, name="policy"),
    path("rules/propose/", policy_views.propose_rules, name="propose_rules"),
    path("rules/<int:number>/approve/", policy_views.approve_rules, name="approve_rules"),
    path("rules/<int:number>/refuse/", policy_views.refuse_rules, name="refuse_rules"),
    path("rules/<int:number>/withdraw/", policy_views.withdraw_rules, name="withdraw_rules"),
    path("promote/<uuid:pk>/", editor.promote_session, name="promote"),
    path("promote/<uuid:pk>/now/", promote_views.promote_now, name="promote_now"),
    path("promote/<uuid:pk>/next/", promote_views.promote_next, name="promote_next"),
    path("<int:pk>/take-back/", promote_views.take_back, name="take_back"),
    path("<int:pk>/", views.test_page, name="test"),
    path("<int:pk>/edit/", editor.edit_test, name="edit"),
    path("<int:pk>/archive/", actions.archive_test, name="archive"),
    path("<int:pk>/unarchive/", manage.unarchive, name="unarchive"),
    path("<int:pk>/quarantine/", manage.quarantine, name="quarantine"),
    path("<int:pk>/quarantine/end/", manage.end_quarantine, name="end_quarantine"),
    path("<int:pk>/versions/", manage.history, name="history"),
    path("export/", exchange_views.export, name="export"),
    path("exchange/", exchange_views.exchange, name="exchange"),
    path("adversarial/", adversarial_views.adversarial, name="adversarial"),
]
