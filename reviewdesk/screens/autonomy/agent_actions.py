"""What an agent's page does: one POST address each, named like its function."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents.errors import AutonomyError, RunError
from agents.models import Agent, Level
from agents.runtime import start
from agents.tools import autonomy
from reviewdesk.people.access import DeskRequest, agent_for, require
from reviewdesk.people.roles import Permission
from reviewdesk.screens.autonomy import agent as page
from reviewdesk.screens.autonomy.answers import permission_for
from reviewdesk.screens.autonomy.forms import LevelForm
from reviewdesk.screens.pages import go_to


@require_POST
def change_ceiling(request: DeskRequest, slug: str, agent: str) -> HttpResponse:
    """Set the highest level of all of an agent's tools."""
    found = agent_for(request, slug, agent)
    form = LevelForm(request.POST, prefix="ceiling")
    if not form.is_valid():
        return _again(request, found, status=422, ceiling_form=form)
    was, level = form.chosen()
    require(request, permission_for(was, level))
    reason = form.cleaned_data["reason"]
    try:
        autonomy.change_ceiling(agent=found, level=level, reason=reason, by=request.user, was=was)
    except AutonomyError as error:
        return _again(request, found, status=409, ceiling_form=form, problem=str(error))
    messages.success(request, f"The ceiling of {found} went from {was.label} to {level.label}.")
    return go_to(request, reverse("autonomy:agent", args=[slug, found.slug]))


@require_POST
def give_tool(request: DeskRequest, slug: str, agent: str) -> HttpResponse:
    """Give an agent a tool at a level."""
    found = agent_for(request, slug, agent, Permission.RAISE_AUTONOMY)
    form = page.give_form(found, request.POST)
    if not form.is_valid():
        return _again(request, found, status=422, give_form=form)
    data = form.cleaned_data
    level = Level(data["level"])
    try:
        autonomy.give_tool(
            agent=found, name=data["tool"], level=level, reason=data["reason"], by=request.user
        )
    except AutonomyError as error:
        return _again(request, found, status=409, give_form=form, problem=str(error))
    messages.success(request, f"{found} has {data['tool']} now, at {level.label}.")
    return go_to(request, reverse("autonomy:agent", args=[slug, found.slug]))


@require_POST
def start_run(request: DeskRequest, slug: str, agent: str) -> HttpResponse:
    """Start a run and show its session."""
    found = agent_for(request, slug, agent, Permission.START_RUNS)
    form = page.run_form(found, request.POST)
    if not form.is_valid():
        return _again(request, found, status=422, run_form=form)
    try:
        run = start.start_run(
            agent=found,
            version=form.cleaned_data["version"],
            run_input=form.run_input(),
            customer=form.cleaned_data["customer"],
            started_by=request.user,
        )
    except RunError as error:
        form.add_error("message", str(error))
        return _again(request, found, status=422, run_form=form)
    return go_to(request, reverse("sessions:detail", args=[slug, run.session_id]))


def _again(request: DeskRequest, agent: Agent, *, status: int, **extra: object) -> HttpResponse:
    context = page.agent_context(request, agent, **extra)
    return render(request, "autonomy/agent.html", context, status=status)
