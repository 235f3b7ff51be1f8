"""The Autonomy screen: the matrix, a tool's panel, an agent's page."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from agents.tools.contract import ToolContract
from agents.tools.registry import UnknownToolError, contract_for
from reviewdesk.people.access import DeskRequest, agent_for, project_for
from reviewdesk.screens.autonomy.agent import agent_context
from reviewdesk.screens.autonomy.answers import TEMPLATE, tool_page
from reviewdesk.screens.autonomy.history import changes_of
from reviewdesk.screens.autonomy.matrix import read_matrix
from reviewdesk.screens.pages import render_page


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """Show every tool of every agent, and the latest changes."""
    project = project_for(request, slug)
    matrix = read_matrix(project, now=timezone.now())
    context = {"matrix": matrix, "changes": changes_of(matrix.agents)}
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


def contract_or_404(name: str, project_id: int) -> ToolContract:
    """Return the contract of one of the project's tools."""
    try:
        return contract_for(name, project_id)
    except UnknownToolError as error:
        raise Http404(str(error)) from error
