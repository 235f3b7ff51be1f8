"""The Autonomy screen: the matrix, a tool's panel, an agent's page, every change."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from agents.models import Agent, AgentTool
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract
from agents.tools.registry import UnknownToolError, contract_for
from reviewdesk.people.access import DeskRequest, agent_for, may, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.autonomy.agent import agent_context
from reviewdesk.screens.autonomy.answers import TEMPLATE, matrix_context, tool_page
from reviewdesk.screens.autonomy.history import changes_of
from reviewdesk.screens.autonomy.matrix import read_matrix
from reviewdesk.screens.pages import render_page

PAGE_SIZE = 50


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """Show every tool of every agent, what is proposed, and the latest changes."""
    project = project_for(request, slug)
    matrix = read_matrix(project, now=database_now())
    context = {
        **matrix_context(request, project, matrix),
        "changes": changes_of(matrix.agents),
        "may_lower": may(request, Permission.LOWER_AUTONOMY),
    }
    return render_page(request, TEMPLATE, context, partial="panel")


@require_safe
def tool(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Show one tool of one agent beside the matrix."""
    found = agent_for(request, slug, agent)
    contract = contract_or_404(tool, found.project_id)
    return tool_page(request, found, contract)


@require_safe
def agent(request: DeskRequest, slug: str, agent: str) -> HttpResponse:
    """Show an agent: its facts, tools and latest runs."""
    found = agent_for(request, slug, agent)
    return render(request, "autonomy/agent.html", agent_context(request, found))


@require_safe
def changes(request: DeskRequest, slug: str) -> HttpResponse:
    """Show every change of level, ceiling, stop and proposal; `?agent=` and `?tool=` filter."""
    project = project_for(request, slug)
    agents = list(Agent.objects.filter(project=project).order_by("name", "pk"))
    wanted_agent, wanted_tool = request.GET.get("agent", ""), request.GET.get("tool", "")
    before = _time(request.GET.get("before", ""))
    found = changes_of(
        [each for each in agents if wanted_agent in ("", each.slug)],
        tool=wanted_tool,
        limit=PAGE_SIZE + 1,
        before=before,
    )
    shown = found[:PAGE_SIZE]
    context = {
        "changes": shown,
        "agents": agents,
        "tools": _tool_names(agents),
        "wanted_agent": wanted_agent,
        "wanted_tool": wanted_tool,
        "following": shown[-1].at.isoformat() if len(found) > PAGE_SIZE else "",
        "is_first_page": before is None,
    }
    return render_page(request, "autonomy/all_changes.html", context, partial="results")


def contract_or_404(name: str, project_id: int) -> ToolContract:
    """Return the contract of one of the project's tools."""
    try:
        return contract_for(name, project_id)
    except UnknownToolError as error:
        raise Http404(str(error)) from error


def _tool_names(agents: list[Agent]) -> list[str]:
    """Return the names of all tools that the agents were ever given. One query."""
    model: Any = AgentTool
    events = model.pgh_event_model.objects.filter(agent__in=agents)
    return sorted(set(events.values_list("name", flat=True).distinct()))


def _time(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
