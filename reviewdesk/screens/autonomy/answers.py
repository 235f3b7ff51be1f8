"""How the Autonomy screen answers after a change."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent, Level
from agents.tools.contract import ToolContract
from reviewdesk.people.access import DeskRequest
from reviewdesk.people.roles import Permission
from reviewdesk.screens.autonomy.matrix import read_matrix
from reviewdesk.screens.autonomy.panel import panel_context
from reviewdesk.screens.pages import go_to, render_page, toast, wants_fragment

TEMPLATE = "autonomy/index.html"


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
    now = timezone.now()
    matrix = read_matrix(agent.project, now=now)
    cell = matrix.cell(agent, contract.name)
    context = {"matrix": matrix, **panel_context(request, cell, contract, now=now, **extra)}
    return render_page(request, TEMPLATE, context, partial=partial, status=status)


def tool_changed(
    request: DeskRequest, agent: Agent, contract: ToolContract, text: str
) -> HttpResponse:
    """Return the panel and the matrix as they are now, and say what was done."""
    if wants_fragment(request):
        return toast(tool_page(request, agent, contract, partial="changed"), text)
    messages.success(request, text)
    slug = request.membership.project.slug
    return go_to(request, reverse("autonomy:tool", args=[slug, agent.slug, contract.name]))


def permission_for(before: Level, after: Level) -> Permission:
    """Return what it takes to go from one level to the other."""
    is_raise = after.rank > before.rank
    return Permission.RAISE_AUTONOMY if is_raise else Permission.LOWER_AUTONOMY
