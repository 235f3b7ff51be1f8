"""One call as the person sees it who decides it."""

import json
from enum import StrEnum
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone

from agents.config import content_hash
from agents.demo.describe import CallSummary, money
from agents.demo.describe_many import describe_calls
from agents.models import AgentTool, Tier, ToolApproval
from agents.runtime.canaries import is_caught
from agents.runtime.open_calls import ASKED_TWICE
from agents.runtime.preview import Preview, preview_call
from agents.runtime.votes import agreed, proposed_now
from agents.tools.contract import ToolContract
from agents.tools.evidence import TARGETS
from agents.tools.registry import UnknownToolError, contract_for
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.approvals.argument_form import fields_of
from reviewdesk.screens.approvals.deciders import deciders_of, needs_text
from reviewdesk.screens.approvals.inbox import (
    approvals_of,
    as_proposed,
    changed_arguments,
    differences,
    viewer_of,
)
from reviewdesk.screens.autonomy.charts import interval_bar
from reviewdesk.screens.autonomy.evidence import decisions_of
from reviewdesk.screens.sessions.reading import read_session
from reviewdesk.screens.sessions.talk import Said
from reviewdesk.screens.shell import DUE_WITHIN

_BAR_WIDTH = 200
_QUOTED = 200

OUTCOMES = {
    ToolApproval.Status.APPROVED: ("good", "circle-check", "approved"),
    ToolApproval.Status.EDITED: ("good", "pencil", "approved with edits"),
    ToolApproval.Status.REJECTED: ("bad", "circle-x", "rejected"),
    ToolApproval.Status.RESPONDED: ("info", "message", "answered instead"),
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
    RESPOND = "respond"
    ESCALATE = "escalate"
    CONFIRM = "confirm"


def approval_for(
    request: HttpRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> ToolApproval:
    """Return the project's approval. Three queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    approval = approvals_of(project).filter(pk=pk).first()
    if approval is None:
        raise Http404(f"This project has no waiting or decided call {pk}.")
    return approval


def call_context(
    request: DeskRequest, approval: ToolApproval, *, mode: Mode = Mode.LOOK, **extra: Any
) -> dict[str, Any]:
    """Return the template's variables for one call. A fixed number of queries."""
    contract = contract_of(approval)
    edited = extra.pop("edited", None)
    shown = as_proposed(approval)
    if edited is not None:
        shown.arguments = edited
    elif approval.status == ToolApproval.Status.EDITED:
        shown.arguments = approval.decided_arguments or {}
    summary = describe_calls([shown])[approval.pk]
    fields = extra.pop("fields", None)
    if fields is None:
        fields = fields_of(contract.parameters, proposed_now(approval)) if contract else []
    viewer = viewer_of(request.membership)
    is_waiting = is_open(approval)
    talk = read_session(approval.run.session, focus=approval.step.span_id).talk
    return {
        "approval": approval,
        "agent": approval.run.agent,
        "session": approval.run.session,
        "contract": contract,
        "mode": mode,
        "summary": summary,
        "rows": _rows(summary),
        "amount": money(abs(summary.amount)) if summary.amount else "",
        "tier": contract.tier if contract else None,
        "is_money": contract is not None and contract.tier is Tier.MONEY,
        "is_asked_twice": contract is not None and contract.tier in ASKED_TWICE,
        "is_edited": edited is not None,
        "is_waiting": is_waiting,
        "is_suggestion": approval.kind == ToolApproval.Kind.SUGGESTION,
        "is_due": is_due(approval),
        "outcome": outcome_of(approval),
        "changed": differences(proposed_now(approval), edited)
        if edited is not None
        else changed_arguments(approval),
        "raw": json.dumps(shown.arguments, indent=2, ensure_ascii=False),
        "seen": content_hash(proposed_now(approval)),
        "preview": _preview(approval, contract, shown.arguments) if is_waiting else None,
        "why": _why(approval),
        "taint": approval.run.taint,
        "last_words": next((each for each in reversed(talk) if _is_customers(each)), None),
        "talk": talk,
        "span_id": approval.step.span_id,
        "why_not": viewer.why_not(approval),
        "may_decide": viewer.may_decide and not viewer.why_not(approval),
        "may_escalate": viewer.may_decide,
        "is_lead": viewer.is_lead,
        "votes": agreed(approval) if approval.num_needed > 1 else [],
        "needs": needs_text(approval, summary.amount, is_money=contract_is_money(contract)),
        "deciders": deciders_of(request.membership, approval),
        "may_see_level": may(request, Permission.VIEW),
        "planted": _planted(approval),
        **_like_this(approval, contract),
        "fields": fields,
        "focused": next((each.name for each in fields if each.errors), fields[0].name)
        if fields
        else "",
        **extra,
    }


def is_open(approval: ToolApproval) -> bool:
    """Say whether it can still be decided."""
    return approval.status == ToolApproval.Status.WAITING and not is_expired(approval)


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


def planted_outcome(approval: ToolApproval) -> tuple[str, str, str] | None:
    """Return the pill of a planted call once it is decided, else None."""
    if not approval.is_canary or approval.status == ToolApproval.Status.WAITING:
        return None
    match is_caught(approval):
        case True:
            return ("good", "eye", "planted, caught")
        case False:
            return ("bad", "eye-off", "planted, missed")
    return ("none", "hourglass-empty", "planted, nobody decided")


def contract_of(approval: ToolApproval) -> ToolContract | None:
    """Return the tool's contract as it is now, None where there is no such tool any more."""
    try:
        return contract_for(approval.tool, approval.run.project_id)
    except UnknownToolError:
        return None


def contract_is_money(contract: ToolContract | None) -> bool:
    """Say whether the tool moves money."""
    return contract is not None and contract.tier is Tier.MONEY


def _rows(summary: CallSummary) -> list[tuple[str, str, list[Any]]]:
    """Return (label, text, checks) per row; what has no row of its own stands last."""
    labels = {label for label, _ in summary.rows} | {"Amount"}
    rows = [
        (label, text, [check for check in summary.checks if check.label == label])
        for label, text in summary.rows
    ]
    if summary.amount:
        rows.append(("Amount", "", [each for each in summary.checks if each.label == "Amount"]))
    rest = [check for check in summary.checks if check.label not in labels]
    return [*rows, *((check.label, "", [check]) for check in rest)]


def _preview(
    approval: ToolApproval, contract: ToolContract | None, arguments: dict[str, Any]
) -> Preview | None:
    if contract is None:
        return None
    key = f"{approval.run_id}:{approval.step.index}"
    return preview_call(run=approval.run, contract=contract, arguments=arguments, effect_key=key)


def _like_this(approval: ToolApproval, contract: ToolContract | None) -> dict[str, Any]:
    if contract is None:
        return {"decisions": None, "interval": None, "target": None, "target_x": None}
    decisions = decisions_of(approval.run.agent, contract)
    interval = interval_bar(decisions.unedited, width=_BAR_WIDTH)
    target = TARGETS.get(contract.tier)
    target_x = None
    if interval and target is not None and target * 100 >= interval.low_end:
        target_x = round(
            (target * 100 - interval.low_end) / (100 - interval.low_end) * _BAR_WIDTH, 1
        )
    return {
        "decisions": decisions,
        "interval": interval,
        "target": round(target * 100) if target is not None else None,
        "target_x": target_x,
    }


def _planted(approval: ToolApproval) -> dict[str, Any] | None:
    """Return what is told of a planted call, once it is decided."""
    outcome = planted_outcome(approval)
    if outcome is None:
        return None
    return {"outcome": outcome, "is_caught": is_caught(approval), "why": approval.canary_why}


def _is_customers(item: Any) -> bool:
    return isinstance(item, Said) and item.who == "Customer"


def _why(approval: ToolApproval) -> str:
    """Return the reason given for the tool's level, where that is what binds."""
    if "the tool's level" not in approval.why:
        return ""
    found = AgentTool.objects.filter(agent=approval.run.agent_id, name=approval.tool)
    return found.values_list("reason", flat=True).first() or ""
