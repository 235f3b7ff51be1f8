"""Proposing a raise and deciding it: one POST address each, named like its function."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import ProposalError
from agents.models import AgentTool, Level, LevelProposal
from agents.tools import proposals
from agents.tools.contract import ToolContract
from reviewdesk.people.access import DeskRequest, agent_for, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.autonomy.answers import proposal_page, tool_changed, tool_page
from reviewdesk.screens.autonomy.forms import DecideForm, ProposeForm
from reviewdesk.screens.autonomy.views import contract_or_404


@require_safe
def proposal(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a proposal beside the matrix: its reason, its evidence, and who may decide it."""
    found = proposal_for(request, slug, pk)
    return proposal_page(request, found, _contract(found))


@require_POST
def propose_raise(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Propose a higher level, with the evidence as it is now."""
    found = agent_for(request, slug, agent, Permission.PROPOSE_RAISE)
    contract = contract_or_404(tool, found.project_id)
    agent_tool = AgentTool.objects.filter(agent=found, name=contract.name).first()
    if agent_tool is None:
        raise Http404(f"{found} is not given {contract.name}.")
    form = ProposeForm(request.POST, prefix="propose")
    if not form.is_valid():
        return tool_page(request, found, contract, status=422, propose_form=form)
    level = Level(form.cleaned_data["level"])
    try:
        proposals.propose_raise(
            agent_tool=agent_tool,
            to_level=level,
            reason=form.cleaned_data["reason"],
            by=request.user,
        )
    except ProposalError as error:
        problem = str(error)
        return tool_page(request, found, contract, status=409, propose_form=form, problem=problem)
    text = f"{contract.name} is proposed for {level.label} on {found}; another lead decides."
    return tool_changed(request, found, contract, text)


@require_POST
def grant(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Raise the level as it was proposed by somebody else."""
    found = proposal_for(request, slug, pk, Permission.RAISE_AUTONOMY)
    return _decide(request, found, proposals.grant, "is raised")


@require_POST
def refuse(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Refuse a raise; the level stays."""
    found = proposal_for(request, slug, pk, Permission.RAISE_AUTONOMY)
    return _decide(request, found, proposals.refuse, "stays as it is")


@require_POST
def withdraw(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Take one's own proposal back."""
    found = proposal_for(request, slug, pk, Permission.PROPOSE_RAISE)
    return _decide(request, found, proposals.withdraw, "is proposed no more")


def proposal_for(
    request: DeskRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> LevelProposal:
    """Return the project's proposal. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    rows = LevelProposal.objects.select_related(
        "agent_tool__agent__live_version", "proposed_by", "decided_by"
    )
    found = rows.filter(agent_tool__agent__project=project, pk=pk).first()
    if found is None:
        raise Http404(f"This project has no proposal {pk}.")
    return found


def _decide(
    request: DeskRequest, found: LevelProposal, act: Callable[..., Any], done: str
) -> HttpResponse:
    agent, contract = found.agent_tool.agent, _contract(found)
    form = DecideForm(request.POST, prefix="decide")
    if not form.is_valid():
        return proposal_page(request, found, contract, status=422, form=form)
    try:
        act(proposal=found, by=request.user, reason=form.cleaned_data["reason"])
    except ProposalError as error:
        found.refresh_from_db()
        return proposal_page(request, found, contract, status=409, form=form, problem=str(error))
    return tool_changed(request, agent, contract, f"{contract.name} {done} on {agent}.")


def _contract(found: LevelProposal) -> ToolContract:
    return contract_or_404(found.agent_tool.name, found.agent_tool.agent.project_id)
