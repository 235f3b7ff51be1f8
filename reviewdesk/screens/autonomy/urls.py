"""Addresses of the Autonomy screen."""

from django.urls import path

from reviewdesk.screens.autonomy import (
    actions,
    agent_actions,
    breaker_actions,
    call_actions,
    raise_actions,
    views,
)

_TOOL = "agents/<slug:agent>/tools/<slug:tool>"

app_name = "autonomy"
urlpatterns = [
    path("", views.index, name="index"),
    path("changes/", views.changes, name="changes"),
    path("calls/<int:pk>/undo/", call_actions.undo, name="undo"),
    path("proposals/<int:pk>/", raise_actions.proposal, name="proposal"),
    path("proposals/<int:pk>/grant/", raise_actions.grant, name="grant"),
    path("proposals/<int:pk>/refuse/", raise_actions.refuse, name="refuse"),
    path("proposals/<int:pk>/withdraw/", raise_actions.withdraw, name="withdraw"),
    path("agents/<slug:agent>/", views.agent, name="agent"),
    path(
        "agents/<slug:agent>/change-ceiling/", agent_actions.change_ceiling, name="change_ceiling"
    ),
    path("agents/<slug:agent>/give-tool/", agent_actions.give_tool, name="give_tool"),
    path("agents/<slug:agent>/start-run/", agent_actions.start_run, name="start_run"),
    path(f"{_TOOL}/", views.tool, name="tool"),
    path(f"{_TOOL}/lower/", actions.lower, name="lower"),
    path(f"{_TOOL}/add-reason/", actions.add_reason, name="add_reason"),
    path(f"{_TOOL}/propose-raise/", raise_actions.propose_raise, name="propose_raise"),
    path(f"{_TOOL}/change-level/", actions.change_level, name="change_level"),
    path(f"{_TOOL}/lift-ceiling/", actions.lift_ceiling, name="lift_ceiling"),
    path(f"{_TOOL}/end-lift/", actions.end_lift, name="end_lift"),
    path(f"{_TOOL}/take/", actions.take_tool, name="take_tool"),
    path(f"{_TOOL}/open-breaker/", breaker_actions.open_breaker, name="open_breaker"),
    path(f"{_TOOL}/close-breaker/", breaker_actions.close_breaker, name="close_breaker"),
]
