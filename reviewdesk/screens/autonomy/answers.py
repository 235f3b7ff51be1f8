"""How the Autonomy screen answers: the page with the matrix and a panel, or parts of it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse

from agents.models import Agent, Level, LevelProposal
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract
from reviewdesk.people.access import DeskRequest
from reviewdesk.people.roles import Permission
from reviewdesk.screens.autonomy.breaker import breaker_context
from reviewdesk.screens.autonomy.forms import DecideForm
from reviewdesk.screens.autonomy.matrix import Matrix, read_matrix
from reviewdesk.screens.autonomy.panel import TIER_ICONS, panel_context
from reviewdesk.screens.autonomy.raises import line_of, waiting_proposals
from reviewdesk.screens.pages import go_to, render_page, toast, wants_fragment
from traces.models import Project

TEMPLATE = "autonomy/index.html"


def matrix_context(request: DeskRequest, project: Project, matrix: Matrix) -> dict[str, Any]:
    """Return what the left side shows."""
    return {"matrix": matrix, "proposals": waiting_proposals(project, request)}


def tool_page(
    request: DeskRequest,
    agent: Agent,
    contract: ToolContract,
    *,
    status: int = 200,
    partial: str = "panel",
    **extra: Any,
) -> HttpResponse:
    """Return the page with the tool's panel, or the panel alone."""
    now = database_now()
    project = request.membership.project
    matrix = read_matrix(project, now=now)
    cell = matrix.cell(agent, contract.name)
    if cell is None:
        raise Http404(f"{agent} has no tool {contract.name}, and the project offers none.")
    context = {
        **matrix_context(request, project, matrix),
        **breaker_context(request, contract, now=now),
        **panel_context(request, cell, contract, now=now, **extra),
    }
    return render_page(request, TEMPLATE, context, partial=partial, status=status)


def tool_changed(
    request: DeskRequest,
    agent: Agent,
    contract: ToolContract,
    text: str,
    *,
    asks_why: bool = False,
) -> HttpResponse:
    """Return the panel and the matrix as they are now, and say what was done."""
    if wants_fragment(request):
        page = tool_page(request, agent, contract, partial="changed", asks_why=asks_why)
        return toast(page, text)
    messages.success(request, text)
    slug = request.membership.project.slug
    return go_to(request, reverse("autonomy:tool", args=[slug, agent.slug, contract.name]))


def proposal_page(
    request: DeskRequest,
    proposal: LevelProposal,
    contract: ToolContract,
    *,
    status: int = 200,
    partial: str = "panel",
    form: DecideForm | None = None,
    problem: str = "",
) -> HttpResponse:
    """Return the page with a proposal for a panel, or the panel alone."""
    project = request.membership.project
    matrix = read_matrix(project, now=database_now())
    context = {
        **matrix_context(request, project, matrix),
        "line": line_of(proposal, request),
        "asked_of": contract,
        "tier_icon": TIER_ICONS[contract.tier],
        "cell": matrix.cell(proposal.agent_tool.agent, contract.name),
        "decide_form": form or DecideForm(prefix="decide"),
        "problem": problem,
    }
    return render_page(request, TEMPLATE, context, partial=partial, status=status)


def permission_for(before: Level, after: Level) -> Permission:
    """Return what it takes to go from one level to the other."""
    is_raise = after.rank > before.rank
    return Permission.RAISE_AUTONOMY if is_raise else Permission.LOWER_AUTONOMY
