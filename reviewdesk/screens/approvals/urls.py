"""Addresses of the Approvals screen."""

from django.urls import path

from reviewdesk.screens.approvals import actions, effects, rules, views

app_name = "approvals"
urlpatterns = [
    path("", views.index, name="index"),
    path("decided/", views.decided, name="decided"),
    path("rules/", rules.rules, name="rules"),
    path("rules/set/", rules.set_project_rules, name="set_rules"),
    path("effects/<int:pk>/", effects.effect, name="effect"),
    path("effects/<int:pk>/decide/", effects.decide, name="decide_effect"),
    path("<int:pk>/", views.call, name="call"),
    path("<int:pk>/approve/", actions.approve_call, name="approve"),
    path("<int:pk>/edit/", actions.edit_call, name="edit"),
    path("<int:pk>/reject/", actions.reject_call, name="reject"),
    path("<int:pk>/respond/", actions.respond_call, name="respond"),
    path("<int:pk>/escalate/", actions.escalate_call, name="escalate"),
    path("<int:pk>/take-back/", actions.take_back, name="take_back"),
    path("<int:pk>/take-back-vote/", actions.take_back_vote, name="take_back_vote"),
    path("<int:pk>/judge/", actions.judge_suggestion, name="judge"),
]
