"""Moving a tool's circuit breaker by hand: one POST address each, named like its function."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from agents.errors import AutonomyError
from agents.models import Agent
from agents.tools import breaker
from agents.tools.contract import ToolContract
from agents.tools.registry import UnknownToolError, contract_for
from reviewdesk.people.access import DeskRequest, agent_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.autonomy.answers import tool_changed, tool_page
from reviewdesk.screens.autonomy.forms import ReasonForm


@require_POST
def open_breaker(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Let no call of a tool start, of any agent, until a person closes its breaker."""
    found = agent_for(request, slug, agent, Permission.LOWER_AUTONOMY)
    contract = _outside_tool(found, tool)
    form = ReasonForm(request.POST, prefix="open")
    if not form.is_valid():
        return tool_page(request, found, contract, status=422, open_breaker_form=form)
    reason = form.cleaned_data["reason"]
    try:
        breaker.open_breaker(
            project=found.project, tool=contract.name, reason=reason, by=request.user
        )
    except AutonomyError as error:
        return tool_page(
            request, found, contract, status=409, open_breaker_form=form, problem=str(error)
        )
    text = f"The breaker of {contract.name} is open: no call of it starts."
    return tool_changed(request, found, contract, text)


@require_POST
def close_breaker(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Let calls of a tool start again."""
    found = agent_for(request, slug, agent, Permission.RAISE_AUTONOMY)
    contract = _outside_tool(found, tool)
    form = ReasonForm(request.POST, prefix="close")
    if not form.is_valid():
        return tool_page(request, found, contract, status=422, close_breaker_form=form)
    reason = form.cleaned_data["reason"]
    try:
        breaker.close_breaker(
            project=found.project, tool=contract.name, reason=reason, by=request.user
        )
    except AutonomyError as error:
        return tool_page(
            request, found, contract, status=409, close_breaker_form=form, problem=str(error)
        )
    text = f"The breaker of {contract.name} is closed: its calls start again."
    return tool_changed(request, found, contract, text)


def _outside_tool(agent: Agent, name: str) -> ToolContract:
    try:
        contract = contract_for(name, agent.project_id)
    except UnknownToolError as error:
        raise Http404(str(error)) from error
    if contract.is_inside:
        raise Http404(f"{name} works in the desk's own database and has no breaker.")
    return contract
