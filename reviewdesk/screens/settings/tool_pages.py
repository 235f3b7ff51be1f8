"""What the pages of Settings > Tools show."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.http import Http404
from django.utils import timezone

from agents.errors import ToolSourceError
from agents.models import AgentTool, KillSwitch, ToolDefinition, ToolSource
from agents.tools.contract import ToolContract, ToolKind
from agents.tools.imports import ImportPlan, plan_import
from agents.tools.registry import UnknownToolError, contract_for, contracts
from agents.tools.secrets import SecretState, state_of
from agents.tools.sources import endpoint_of
from agents.tools.stops import stops_on
from reviewdesk.people.access import DeskRequest, may
from reviewdesk.people.roles import Permission, Role, roles_with
from reviewdesk.screens.approvals.argument_form import fields_of
from reviewdesk.screens.autonomy.breaker import BreakerView, breakers_of
from reviewdesk.screens.settings.tool_forms import (
    ContractForm,
    DocumentForm,
    ImportForm,
    PlaceForm,
    ReasonForm,
    contract_initial,
    place_of,
)
from reviewdesk.screens.settings.tool_reading import call_text, rows_of, with_differences
from reviewdesk.screens.settings.views import settings_context
from traces.models import Project

KIND_NAMES = {
    ToolKind.DATABASE: "our database",
    ToolKind.FUNCTION: "function",
    ToolKind.HTTP: "HTTP",
    ToolKind.MCP: "MCP",
}
_WIDE = {KillSwitch.Scope.PROJECT, KillSwitch.Scope.EVERYTHING}


@dataclass(frozen=True)
class ToolRow:
    """A tool in the list.

    Attributes:
        source: Where it was imported from; None: it is the code's own.
        agents: Who has it, by name.
    """

    contract: ToolContract
    source: ToolSource | None
    breaker: BreakerView
    agents: tuple[AgentTool, ...]

    @property
    def kind(self) -> str:
        """Return how it is reached, in words."""
        return KIND_NAMES[self.contract.kind]

    @property
    def limits(self) -> str:
        """Return its limits in few words; nothing limits what commits with its step."""
        return limits_text(self.contract)


def limits_text(contract: ToolContract) -> str:
    """Return a tool's limits in few words."""
    if contract.is_inside:
        return ""
    policy = contract.policy
    parts = [f"{policy.time_limit_seconds:g} s", f"{policy.max_attempts}×"]
    if policy.rate_per_minute is not None:
        parts.append(f"{policy.rate_per_minute}/min")
    if policy.max_concurrent is not None:
        parts.append(f"{policy.max_concurrent} at once")
    return " · ".join(parts)


def list_context(request: DeskRequest, project: Project) -> dict[str, Any]:
    """Return what the list shows. A fixed number of queries."""
    tools = contracts(project.pk)
    breakers = breakers_of(project, tools, now=timezone.now())
    given = _given(project)
    current = Count("tools", filter=Q(tools__is_current=True))
    sources = list(
        ToolSource.objects.filter(project=project)
        .defer("document")
        .annotate(num_tools=current)
        .order_by("name", "pk")
    )
    by_id = {source.pk: source for source in sources}
    return {
        "rows": [
            ToolRow(
                contract,
                by_id.get(contract.source_id or 0),
                breakers[contract.name],
                tuple(given[contract.name]),
            )
            for contract in tools
        ],
        "sources": sources,
        **_common(request, project),
    }


def tool_context(
    request: DeskRequest, project: Project, contract: ToolContract, **extra: Any
) -> dict[str, Any]:
    """Return what a tool's page shows. A fixed number of queries."""
    versions = list(
        ToolDefinition.objects.filter(project=project, name=contract.name)
        .select_related("source", "changed_by")
        .defer("source__document")
        .order_by("-number")
    )
    row = versions[0] if versions and contract.source_id else None
    tools = contracts(project.pk)
    schema_rows = rows_of(contract.parameters)
    why_no_try = why_not_tried(project, contract)
    return {
        "contract": contract,
        "definition": row,
        "source": row.source if row else None,
        "kind_name": KIND_NAMES[contract.kind],
        "call_text": call_text(contract.request) if contract.request else "",
        "limits": limits_text(contract),
        "arguments": schema_rows,
        "results": rows_of(contract.returns) if contract.returns else [],
        "versions": with_differences(versions),
        "breaker": breakers_of(project, [contract], now=timezone.now())[contract.name],
        "agents": _given(project, contract.name)[contract.name],
        "secrets": [state_of(name, project=None) for name in contract.policy.secrets],
        "contract_form": ContractForm(initial=contract_initial(row), tools=tools) if row else None,
        "fields": [] if why_no_try else fields_of(contract.parameters, {}),
        "why_no_try": why_no_try,
        **_common(request, project),
        **extra,
    }


def source_context(
    request: DeskRequest, project: Project, source: ToolSource, **extra: Any
) -> dict[str, Any]:
    """Return what a source's page shows. A fixed number of queries."""
    plan, problem = _plan(source)
    kind = ToolSource.Kind(source.kind)
    return {
        "source": source,
        "is_openapi": kind is ToolSource.Kind.OPENAPI,
        "secrets": secrets_of(source),
        "plan": plan,
        "plan_problem": problem,
        "num_same": len(plan.tools) - len(plan.changes) if plan else 0,
        "import_form": ImportForm(plan=plan) if plan and plan.changes else None,
        "document_form": DocumentForm(),
        "place_form": PlaceForm(initial=place_of(source), kind=kind, prefix="place"),
        "turn_form": ReasonForm(prefix="turn"),
        "why_no_command": why_no_command(request, kind),
        **_common(request, project),
        **extra,
    }


def source_for(project: Project, slug: str) -> ToolSource:
    """Return the project's source. One query."""
    found = ToolSource.objects.filter(project=project, slug=slug).select_related("project").first()
    if found is None:
        raise Http404(f"This project has no source of tools {slug}.")
    return found


def contract_or_404(project: Project, name: str) -> ToolContract:
    """Return the contract of one of the project's tools."""
    try:
        return contract_for(name, project.pk)
    except UnknownToolError as error:
        raise Http404(str(error)) from error


def secrets_of(source: ToolSource) -> list[SecretState]:
    """Return whether each secret of a source is set."""
    try:
        names = endpoint_of(source).secret_names
    except ToolSourceError:
        return []
    return [state_of(name, project=source.project.slug) for name in names]


def why_no_command(request: DeskRequest, kind: ToolSource.Kind) -> str:
    """Return why this person may not set the command of such a source, or nothing."""
    if kind is not ToolSource.Kind.MCP_STDIO or request.membership.role == Role.ADMIN:
        return ""
    return (
        "A command runs on the desk's machine with the desk's rights, so only an admin may set it; "
        f"your role is {request.membership.get_role_display()}."
    )


def why_not_tried(project: Project, contract: ToolContract) -> str:
    """Return why a tool cannot be tried from its page, or nothing. One query at most."""
    if contract.is_inside:
        return "It works on the shop as one run sees it; start a run to see it at work."
    if contract.withdrawn:
        return f"{contract.withdrawn[:1].upper()}{contract.withdrawn[1:]}."
    if not contract.is_read:
        return "It changes something, so only a run calls it, under the level that holds."
    for switch in stops_on(project.pk):
        is_here = switch.scope in _WIDE or switch.tool == contract.name
        if is_here and switch.stops == KillSwitch.Stops.ALL:
            return f"A kill switch stops every call: {switch.reason}"
    return ""


def _common(request: DeskRequest, project: Project) -> dict[str, Any]:
    return {
        "may_connect": may(request, Permission.CONNECT_TOOLS),
        "connectors": ", ".join(roles_with(Permission.CONNECT_TOOLS)),
        "is_admin": request.membership.role == Role.ADMIN,
        **settings_context(request, project, "tools"),
    }


def _given(project: Project, name: str = "") -> defaultdict[str, list[AgentTool]]:
    rows = AgentTool.objects.filter(agent__project=project).select_related("agent")
    found: defaultdict[str, list[AgentTool]] = defaultdict(list)
    for row in (rows.filter(name=name) if name else rows).order_by("agent__name", "pk"):
        found[row.name].append(row)
    return found


def _plan(source: ToolSource) -> tuple[ImportPlan | None, str]:
    if source.document is None:
        return None, ""
    try:
        return plan_import(source), ""
    except ToolSourceError as error:
        return None, str(error)
