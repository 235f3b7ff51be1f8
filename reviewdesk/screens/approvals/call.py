"""One call as the person sees it who decides it."""

import copy
import json
from enum import StrEnum
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone

from agents.demo.describe import money
from agents.demo.describe_many import describe_calls
from agents.models import AgentTool, Tier, ToolApproval
from agents.tools.contract import ToolContract
from agents.tools.registry import UnknownToolError, contract_for
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.approvals.argument_form import fields_of
from reviewdesk.screens.approvals.inbox import approvals_of, changed_arguments, differences
from reviewdesk.screens.autonomy.charts import interval_bar
from reviewdesk.screens.autonomy.evidence import decisions_of
from reviewdesk.screens.sessions.reading import read_session
from reviewdesk.screens.shell import DUE_WITHIN

_BAR_WIDTH = 200
_ASKED_TWICE = {Tier.MONEY, Tier.WRITE_IRREVERSIBLE}

OUTCOMES = {
    ToolApproval.Status.APPROVED: ("good", "circle-check", "approved"),
    ToolApproval.Status.EDITED: ("good", "pencil", "approved with edits"),
    ToolApproval.Status.REJECTED: ("bad", "circle-x", "rejected"),
    ToolApproval.Status.EXPIRED: ("info", "hourglass-empty", "expired"),
    ToolApproval.Status.VOID: ("none", "ban", "void"),
}
VERDICTS = {
    ToolApproval.Status.APPROVED: ("good", "circle-check", "judged good"),
    ToolApproval.Status.REJECTED: ("bad", "circle-x", "judged bad"),
}


class Mode(StrEnum):
    """What the panel asks for."""

    LOOK = "look"
    EDIT = "edit"
    REJECT = "reject"
    CONFIRM = "confirm"


def approval_for(
    request: HttpRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> ToolApproval:
    """Return the project's approval. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    approval = approvals_of(project).filter(pk=pk).first()
    if approval is None:
        raise Http404(f"This project has no waiting or decided call {pk}.")
    return approval


def call_context(
    request: DeskRequest, approval: ToolApproval, *, mode: Mode = Mode.LOOK, **extra: Any
) -> dict[str, Any]:
    """Return the template's variables for one call. A fixed number of queries."""
    contract = _contract(approval)
    edited = extra.pop("edited", None)
    decided = approval.decided_arguments if changed_arguments(approval) else None
    arguments = edited or decided
    shown = _with_arguments(approval, arguments) if arguments else approval
    summary = describe_calls([shown])[approval.pk]
    fields = extra.pop("fields", None)
    if fields is None:
        fields = fields_of(contract.parameters, approval.arguments) if contract else []
    agent = approval.run.agent
    decisions = decisions_of(agent, contract) if contract else None
    return {
        "approval": approval,
        "agent": agent,
        "session": approval.run.session,
        "contract": contract,
        "mode": mode,
        "summary": summary,
        "amount": money(abs(summary.amount)) if summary.amount else "",
        "tier": contract.tier if contract else None,
        "is_money": contract is not None and contract.tier is Tier.MONEY,
        "is_asked_twice": is_asked_twice(approval),
        "is_edited": edited is not None,
        "is_waiting": is_open(approval),
        "is_suggestion": approval.kind == ToolApproval.Kind.SUGGESTION,
        "is_due": is_due(approval),
        "outcome": outcome_of(approval),
        "changed": differences(approval.arguments, edited)
        if edited is not None
        else changed_arguments(approval),
        "raw": json.dumps(shown.arguments, indent=2, ensure_ascii=False),
        "why": _why(approval),
        "talk": read_session(approval.run.session, focus=approval.step.span_id).talk,
        "may_decide": may(request, Permission.DECIDE_CALLS),
        "deciders": _sentence(roles_with(Permission.DECIDE_CALLS)),
        "decisions": decisions,
        "interval": interval_bar(decisions.unedited, width=_BAR_WIDTH) if decisions else None,
        "fields": fields,
        "focused": next((each.name for each in fields if each.errors), fields[0].name)
        if fields
        else "",
        **extra,
    }


def is_open(approval: ToolApproval) -> bool:
    """Say whether it can still be decided."""
    return approval.status == ToolApproval.Status.WAITING and not is_expired(approval)


def is_asked_twice(approval: ToolApproval) -> bool:
    """Say whether the call moves money or cannot be undone: then one key must not approve it."""
    contract = _contract(approval)
    return contract is not None and contract.tier in _ASKED_TWICE


def is_expired(approval: ToolApproval) -> bool:
    """Say whether the time for a decision is over, whoever notes it."""
    return approval.expires_at is not None and approval.expires_at <= timezone.now()


def is_due(approval: ToolApproval) -> bool:
    """Say whether little time is left."""
    return approval.expires_at is not None and approval.expires_at < timezone.now() + DUE_WITHIN


def outcome_of(approval: ToolApproval) -> tuple[str, str, str] | None:
    """Return the pill of a decision, None while it waits."""
    status = ToolApproval.Status(approval.status)
    if status == ToolApproval.Status.WAITING and is_expired(approval):
        status = ToolApproval.Status.EXPIRED
    if approval.kind == ToolApproval.Kind.SUGGESTION and status in VERDICTS:
        return VERDICTS[status]
    return OUTCOMES.get(status)


def _why(approval: ToolApproval) -> str:
    """Return the reason given for the tool's level, where that is what binds."""
    if "the tool's level" not in approval.why:
        return ""
    found = AgentTool.objects.filter(agent=approval.run.agent_id, name=approval.tool)
    return found.values_list("reason", flat=True).first() or ""


def _with_arguments(approval: ToolApproval, arguments: dict[str, Any]) -> ToolApproval:
    """Return the approval as if these had been proposed: to be described, never saved."""
    changed = copy.copy(approval)
    changed.arguments = arguments
    return changed


def _contract(approval: ToolApproval) -> ToolContract | None:
    try:
        return contract_for(approval.tool, approval.run.project_id)
    except UnknownToolError:
        return None


def _sentence(roles: list[str]) -> str:
    return f"{', '.join(roles[:-1])} or {roles[-1]}"
