"""What the pages of Settings > Tools show."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.http import Http404
from django.utils import timezone

from agents.errors import ToolSourceError
from agents.models import AgentTool, KillSwitch, ToolDefinition, ToolSource
from agents.tools.contract import ToolContract, ToolKind, policy_from_json
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


@dataclass(frozen=True)
class SchemaRow:
    """One argument of a tool, or one part of its result, readable.

    Attributes:
        depth: How deep it stands, from 0.
        facts: Type, choices and bounds in words.
    """

    name: str
    depth: int
    facts: str
    is_required: bool
    description: str


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
        "versions": _with_differences(versions),
        "breaker": breakers_of(project, [contract], now=timezone.now())[contract.name],
        "agents": _given(project, contract.name)[contract.name],
        "secrets": [state_of(name) for name in contract.policy.secrets],
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


def rows_of(schema: Any, *, limit: int = 80) -> list[SchemaRow]:
    """Return a schema's fields as rows, what is nested below what it is in."""
    found: list[SchemaRow] = []
    _add_rows(found, schema, 0)
    return found[:limit]


def source_for(project: Project, slug: str) -> ToolSource:
    """Return the project's source. One query."""
    found = ToolSource.objects.filter(project=project, slug=slug).first()
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
        return [state_of(name) for name in endpoint_of(source).secret_names]
    except ToolSourceError:
        return []


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


def _with_differences(versions: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Return each version with what it changed: (name, before, after)."""
    pairs = zip(versions, [*versions[1:], None], strict=True)
    return [
        {"row": row, "differences": _differences(before, row) if before else []}
        for row, before in pairs
    ]


def _differences(before: ToolDefinition, after: ToolDefinition) -> list[tuple[str, str, str]]:
    found = []
    if before.effect != after.effect:
        found.append(("effect", before.get_effect_display(), after.get_effect_display()))
    if before.tier != after.tier:
        found.append(("tier", before.get_tier_display(), after.get_tier_display()))
    was, is_now = (policy_from_json(row.policy).__dict__ for row in (before, after))
    found += [
        (name.replace("_", " "), _word(was[name]), _word(is_now[name]))
        for name in was
        if was[name] != is_now[name]
    ]
    if before.description != after.description:
        found.append(("description", before.description, after.description))
    found += _schema_differences("arguments", before.parameters, after.parameters)
    found += _schema_differences("result", before.returns, after.returns)
    if before.request != after.request:
        found.append(("called", call_text(before.request), call_text(after.request)))
    return found


def _schema_differences(what: str, before: Any, after: Any) -> list[tuple[str, str, str]]:
    was, is_now = ({row.name: row for row in rows_of(each)} for each in (before, after))
    return [
        (f"{what}: {name}", _row_text(was.get(name)), _row_text(is_now.get(name)))
        for name in [*was, *(name for name in is_now if name not in was)]
        if was.get(name) != is_now.get(name)
    ]


def call_text(request: dict[str, Any]) -> str:
    """Return in words how a tool is called."""
    if "tool" in request:
        return f"the server's tool {request['tool']}"
    text = f"{request.get('method', '')} {request.get('url', '')}{request.get('path', '')}"
    key = request.get("key")
    lookup = request.get("lookup")
    return "".join(
        (
            text,
            f", key in the {key['in']} {key['name']}" if key else "",
            f", looked up at {lookup}" if lookup else "",
        )
    )


def _row_text(row: SchemaRow | None) -> str:
    if row is None:
        return "—"
    return f"{row.facts}{', required' if row.is_required else ''} {row.description}".strip()


def _word(value: Any) -> str:
    if value in (None, "", (), {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    return str(value)


def _add_rows(found: list[SchemaRow], schema: Any, depth: int, prefix: str = "") -> None:
    if not isinstance(schema, dict) or depth > 4:
        return
    required = schema.get("required")
    names = schema.get("properties")
    for name, part in names.items() if isinstance(names, dict) else ():
        part = part if isinstance(part, dict) else {}
        is_required = isinstance(required, list) and name in required
        description = str(part.get("description", ""))
        found.append(SchemaRow(f"{prefix}{name}", depth, _facts(part), is_required, description))
        inner = part.get("items") if part.get("type") == "array" else part
        _add_rows(found, inner, depth + 1, f"{prefix}{name}.")


def _facts(part: dict[str, Any]) -> str:
    kind = part.get("type")
    if isinstance(kind, list):
        text = " or ".join(str(each) for each in kind)
    elif kind == "array" and isinstance(part.get("items"), dict):
        text = f"list of {part['items'].get('type', 'anything')}"
    else:
        text = str(kind or "anything")
    if isinstance(part.get("enum"), list):
        text = " | ".join(str(each) for each in part["enum"][:12])
    bounds = [
        f"{word} {part[key]}"
        for key, word in (
            ("format", "as"),
            ("minimum", "at least"),
            ("maximum", "at most"),
            ("minLength", "from characters"),
            ("maxLength", "up to characters"),
        )
        if key in part
    ]
    return ", ".join((text, *bounds))
