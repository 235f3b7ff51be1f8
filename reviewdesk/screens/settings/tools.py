"""Settings > Tools: the list, a tool's page, its contract, and trying what only reads."""

import json
import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import ToolSourceError, ToolUnavailableError
from agents.models import Effect, Tier, ToolDefinition
from agents.tools import definitions, outside
from agents.tools.contract import ToolContract, ToolError, policy_from_json
from agents.tools.registry import contracts
from agents.tools.results import argument_problems, result_problems
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.approvals.argument_form import read_fields, with_problems
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.settings.tool_forms import ContractForm
from reviewdesk.screens.settings.tool_pages import (
    contract_or_404,
    list_context,
    tool_context,
    why_not_tried,
)

LIST, TOOL = "settings/tools.html", "settings/tools_tool.html"
MAX_TRY_SECONDS = 15.0
_MAX_SHOWN = 20_000


@require_safe
def tools(request: DeskRequest, slug: str) -> HttpResponse:
    """List all tools of the project, and the sources they come from."""
    project = project_for(request, slug)
    return render_page(request, LIST, list_context(request, project), partial="settings")


@require_safe
def tool(request: DeskRequest, slug: str, name: str) -> HttpResponse:
    """Show a tool: its contract, its versions, who has it."""
    project = project_for(request, slug)
    contract = contract_or_404(project, name)
    return render_page(request, TOOL, tool_context(request, project, contract), partial="settings")


@require_POST
def change_contract(request: DeskRequest, slug: str, name: str) -> HttpResponse:
    """Write the next version of an imported tool's contract."""
    project = project_for(request, slug, Permission.CONNECT_TOOLS)
    contract = contract_or_404(project, name)
    row = _definition(project.pk, name, request.POST.get("number", ""))
    form = ContractForm(request.POST, tools=contracts(project.pk))
    if form.is_valid():
        try:
            written = definitions.change_contract(
                definition=row,
                effect=Effect(form.cleaned_data["effect"]),
                tier=Tier(form.cleaned_data["tier"]),
                policy=form.policy(policy_from_json(row.policy)),
                lookup=form.cleaned_data["lookup"],
                reason=form.cleaned_data["reason"],
                by=request.user,
            )
        except ToolSourceError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{name} is at version {written.number}.")
            return go_to(request, reverse("settings:tool", args=[slug, name]))
    context = tool_context(request, project, contract, contract_form=form)
    return render_page(request, TOOL, context, partial="settings", status=422)


@require_POST
def try_tool(request: DeskRequest, slug: str, name: str) -> HttpResponse:
    """Call a tool that only reads, once, and show what it answers; nothing is stored."""
    project = project_for(request, slug, Permission.CONNECT_TOOLS)
    contract = contract_or_404(project, name)
    if problem := why_not_tried(project, contract):
        raise Http404(problem)
    arguments, fields = read_fields(contract.parameters, {}, request.POST)
    problems: list[str] = []
    if not any(field.errors for field in fields):
        problems = argument_problems(contract, arguments)
        fields, problems = with_problems(fields, problems)
    if problems or any(field.errors for field in fields):
        context = tool_context(request, project, contract, fields=fields, try_problems=problems)
        return render_page(request, TOOL, context, partial="settings", status=422)
    answer = _answer(contract, arguments, project.pk)
    context = tool_context(request, project, contract, fields=fields, answer=answer)
    return render_page(request, TOOL, context, partial="settings")


def _answer(contract: ToolContract, arguments: dict[str, Any], project_id: int) -> dict[str, Any]:
    """Return what a call comes to, for the page: `error`, or `result` and its `problems`."""
    try:
        result = outside.perform(
            contract=contract,
            arguments=arguments,
            effect_key=f"try:{uuid.uuid4()}",
            project_id=project_id,
            timeout_seconds=min(contract.policy.time_limit_seconds, MAX_TRY_SECONDS),
        )
    except (ToolError, ToolUnavailableError) as error:
        return {"error": str(error)}
    return {
        "result": json.dumps(result, indent=2, ensure_ascii=False)[:_MAX_SHOWN],
        "problems": result_problems(contract, result),
    }


def _definition(project_id: int, name: str, number: str) -> ToolDefinition:
    """Return the version that the form was filled from."""
    found = ToolDefinition.objects.select_related("source").filter(
        project_id=project_id, name=name, number=int(number) if number.isdecimal() else 0
    )
    row = found.first()
    if row is None:
        raise Http404(f"{name} was not imported, or has no version {number[:20]!r}.")
    return row
