"""What the Autonomy screen does to a tool: one POST address each, named like its function."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from agents.errors import AutonomyError
from agents.models import Agent, AgentTool, CeilingLift, Level, Tier
from agents.tools import autonomy
from reviewdesk.people.access import DeskRequest, agent_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.autonomy.answers import tool_changed, tool_page
from reviewdesk.screens.autonomy.forms import LevelForm, LiftForm, LowerForm, ReasonForm
from reviewdesk.screens.autonomy.views import contract_or_404


@require_POST
def lower(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Lower a tool at once to the level that the button named; the reason is asked afterwards."""
    found = agent_for(request, slug, agent, Permission.LOWER_AUTONOMY)
    contract = contract_or_404(tool, found.project_id)
    agent_tool = _agent_tool(found, contract.name)
    form = LowerForm(request.POST)
    if not form.is_valid():
        problem = "The button named no level to lower to; nothing was changed. Try again."
        return tool_page(request, found, contract, status=422, problem=problem)
    level = Level(form.cleaned_data["level"])
    try:
        autonomy.lower(agent_tool=agent_tool, level=level, by=request.user)
    except AutonomyError as error:
        return tool_page(request, found, contract, status=409, problem=str(error))
    text = f"{contract.name} is at {level.label} on {found} now. Say why."
    return tool_changed(request, found, contract, text, asks_why=True)


@require_POST
def add_reason(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Say afterwards why a tool was lowered."""
    found = agent_for(request, slug, agent, Permission.LOWER_AUTONOMY)
    contract = contract_or_404(tool, found.project_id)
    agent_tool = _agent_tool(found, contract.name)
    form = ReasonForm(request.POST, prefix="why")
    if not form.is_valid():
        return tool_page(request, found, contract, status=422, reason_form=form)
    try:
        autonomy.add_reason(
            agent_tool=agent_tool, reason=form.cleaned_data["reason"], by=request.user
        )
    except AutonomyError as error:
        return tool_page(request, found, contract, status=409, problem=str(error))
    return tool_changed(request, found, contract, "The reason is noted.")


@require_POST
def change_level(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Lower a tool to a level of one's choice, with the reason."""
    found = agent_for(request, slug, agent, Permission.LOWER_AUTONOMY)
    contract = contract_or_404(tool, found.project_id)
    agent_tool = _agent_tool(found, contract.name)
    form = LevelForm(request.POST)
    if not form.is_valid():
        return tool_page(request, found, contract, status=422, level_form=form)
    was, level = form.chosen()
    try:
        autonomy.change_level(
            agent_tool=agent_tool,
            level=level,
            reason=form.cleaned_data["reason"],
            by=request.user,
            was=was,
        )
    except AutonomyError as error:
        problem = str(error)
        return tool_page(request, found, contract, status=409, level_form=form, problem=problem)
    text = f"{contract.name} went from {was.label} to {level.label} on {found}."
    return tool_changed(request, found, contract, text)


@require_POST
def lift_ceiling(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Let the tier of this tool go above its ceiling until a date."""
    found = agent_for(request, slug, agent, Permission.RAISE_AUTONOMY)
    contract = contract_or_404(tool, found.project_id)
    form = LiftForm(request.POST)
    if not form.is_valid():
        return tool_page(request, found, contract, status=422, lift_form=form)
    try:
        autonomy.lift_ceiling(
            agent=found,
            tier=contract.tier,
            level=Level.AUTONOMOUS,
            reason=form.cleaned_data["reason"],
            expires_at=form.expires_at(),
            by=request.user,
        )
    except AutonomyError as error:
        form.add_error("until", str(error))
        return tool_page(request, found, contract, status=422, lift_form=form)
    text = f"The ceiling of {contract.tier.label} is lifted on {found}."
    return tool_changed(request, found, contract, text)


@require_POST
def end_lift(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """End the lift of this tool's tier at once."""
    found = agent_for(request, slug, agent, Permission.LOWER_AUTONOMY)
    contract = contract_or_404(tool, found.project_id)
    lift = _lift(found, contract.tier)
    form = ReasonForm(request.POST, prefix="end")
    if not form.is_valid():
        return tool_page(request, found, contract, status=422, end_lift_form=form)
    autonomy.end_lift(lift=lift, reason=form.cleaned_data["reason"], by=request.user)
    text = f"The lift of {contract.tier.label} on {found} has ended."
    return tool_changed(request, found, contract, text)


@require_POST
def take_tool(request: DeskRequest, slug: str, agent: str, tool: str) -> HttpResponse:
    """Take a tool from an agent."""
    found = agent_for(request, slug, agent, Permission.LOWER_AUTONOMY)
    contract = contract_or_404(tool, found.project_id)
    agent_tool = _agent_tool(found, contract.name)
    form = ReasonForm(request.POST, prefix="take")
    if not form.is_valid():
        return tool_page(request, found, contract, status=422, take_form=form)
    reason = form.cleaned_data["reason"]
    autonomy.take_tool(agent_tool=agent_tool, reason=reason, by=request.user)
    return tool_changed(request, found, contract, f"{found} has {contract.name} no more.")


def _agent_tool(agent: Agent, name: str) -> AgentTool:
    found = AgentTool.objects.filter(agent=agent, name=name).first()
    if found is None:
        raise Http404(f"{agent} is not given {name}.")
    return found


def _lift(agent: Agent, tier: Tier) -> CeilingLift:
    found = CeilingLift.objects.filter(agent=agent, tier=tier).first()
    if found is None:
        raise Http404(f"The ceiling of {tier.label} is not lifted on {agent}.")
    return found
