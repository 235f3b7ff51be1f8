"""What an agent's customers come for, and which of it has a golden test."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import GoldenError
from agents.golden.coverage import coverage_of
from agents.golden.intents import FEWEST_SESSIONS, regroup_intents, rename_intent
from agents.models import Agent, Intent
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.golden.views import agents_of, chosen_agent, permissions
from reviewdesk.screens.pages import go_to, render_page


@require_safe
def intents(request: DeskRequest, slug: str) -> HttpResponse:
    """List what customers come for, with the share, example sessions and tests."""
    project = project_for(request, slug)
    agent = chosen_agent(agents_of(project), request.GET.get("agent", ""))
    return _show(request, agent)


@require_POST
def regroup(request: DeskRequest, slug: str) -> HttpResponse:
    """Group the agent's recent sessions anew."""
    project = project_for(request, slug, Permission.PROMOTE)
    agent = chosen_agent(agents_of(project), request.POST.get("agent", ""))
    if agent is None:
        raise Http404("This project has no agent.")
    num = regroup_intents(agent=agent)
    if not num:
        problem = (
            f"{agent.name} has too few sessions of the last 90 days to group: it takes "
            f"{FEWEST_SESSIONS} or more in which customers say similar things."
        )
        return _show(request, agent, problem=problem, status=409)
    messages.success(request, f"Grouped anew: {num} intents.")
    return go_to(request, f"{reverse('golden:intents', args=[slug])}?agent={agent.slug}")


@require_POST
def rename(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Give an intent a name that stays."""
    project = project_for(request, slug, Permission.PROMOTE)
    found = Intent.objects.filter(agent__project=project, pk=pk).select_related("agent")
    intent = found.first()
    if intent is None:
        raise Http404("This intent is gone: the sessions were grouped anew. Open the list again.")
    try:
        rename_intent(intent=intent, name=request.POST.get("name", ""))
    except GoldenError as error:
        return _show(request, intent.agent, problem=str(error), wrong=pk, status=422)
    return go_to(request, f"{reverse('golden:intents', args=[slug])}?agent={intent.agent.slug}")


def _show(
    request: DeskRequest,
    agent: Agent | None,
    *,
    problem: str = "",
    wrong: int = 0,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "agents": agents_of(request.membership.project),
        "agent": agent,
        "coverage": coverage_of(agent) if agent else None,
        "problem": problem,
        "wrong": wrong,
        "fewest": FEWEST_SESSIONS,
        **permissions(request),
    }
    return render_page(request, "golden/intents.html", context, partial="intents", status=status)
