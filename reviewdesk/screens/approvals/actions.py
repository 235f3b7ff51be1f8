"""What the Approvals screen does: one POST address each, named like its function."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents.errors import AlreadyDecidedError, ApprovalError, InvalidArgumentsError
from agents.models import ToolApproval
from agents.runtime import approvals
from reviewdesk.people.access import DeskRequest
from reviewdesk.people.roles import Permission
from reviewdesk.screens.approvals.argument_form import PREFIX, read_fields, with_problems
from reviewdesk.screens.approvals.call import Mode, approval_for, is_asked_twice
from reviewdesk.screens.approvals.inbox import Inbox, read_inbox
from reviewdesk.screens.approvals.views import page
from reviewdesk.screens.autonomy.views import contract_or_404
from reviewdesk.screens.pages import go_to, toast, wants_fragment

_CALL = ToolApproval.Kind.APPROVAL
_SUGGESTION = ToolApproval.Kind.SUGGESTION


@require_POST
def approve_call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Let the call be made as proposed; asked once more where it cannot be taken back."""
    approval = _waiting(request, slug, pk, _CALL)
    inbox = read_inbox(approval.run.agent.project)
    try:
        if is_asked_twice(approval) and request.POST.get("confirmed") != "1":
            approvals.check_open(approval=approval)
            return _again(request, approval, mode=Mode.CONFIRM, status=200)
        approvals.approve_call(approval=approval, by=request.user)
    except AlreadyDecidedError as error:
        return _overtaken(request, approval, error)
    return _decided(request, approval, inbox, f"{approval.tool} is approved; the run goes on.")


@require_POST
def edit_call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Let the call be made with other arguments; asked once more as for the proposed ones."""
    approval = _waiting(request, slug, pk, _CALL)
    inbox = read_inbox(approval.run.agent.project)
    schema = contract_or_404(approval.tool, approval.run.project_id).parameters
    arguments, fields = read_fields(schema, approval.arguments, request.POST)
    message = request.POST.get("message", "")
    typed = {"mode": Mode.EDIT, "message": message, "status": 422}
    if any(field.errors for field in fields):
        return _again(request, approval, fields=fields, **typed)
    if request.POST.get("back") == "1":
        return _again(request, approval, fields=fields, **(typed | {"status": 200}))
    try:
        if is_asked_twice(approval) and request.POST.get("confirmed") != "1":
            edited = approvals.check_edit(approval=approval, arguments=arguments)
            return _ask_edited(request, approval, edited, message)
        approvals.edit_call(
            approval=approval, by=request.user, arguments=arguments, message=message
        )
    except InvalidArgumentsError as error:
        fields, rest = with_problems(fields, error.problems)
        return _again(request, approval, fields=fields, problem=" ".join(rest), **typed)
    except AlreadyDecidedError as error:
        return _overtaken(request, approval, error, message)
    except ApprovalError as error:
        return _again(request, approval, fields=fields, problem=str(error), **typed)
    text = f"{approval.tool} is approved with your changes; the run goes on."
    return _decided(request, approval, inbox, text)


@require_POST
def reject_call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Refuse the call; the agent is told the message."""
    approval = _waiting(request, slug, pk, _CALL)
    inbox = read_inbox(approval.run.agent.project)
    message = request.POST.get("message", "")
    try:
        approvals.reject_call(approval=approval, by=request.user, message=message)
    except AlreadyDecidedError as error:
        return _overtaken(request, approval, error, message)
    except ApprovalError as error:
        return _again(request, approval, mode=Mode.REJECT, status=422, message_error=str(error))
    text = f"{approval.tool} is rejected; the agent is told why."
    return _decided(request, approval, inbox, text)


@require_POST
def judge_suggestion(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Say whether a proposal was good; nothing is executed."""
    approval = _waiting(request, slug, pk, _SUGGESTION)
    inbox = read_inbox(approval.run.agent.project)
    is_good = request.POST.get("verdict") == "good"
    message = request.POST.get("message", "")
    try:
        approvals.judge_suggestion(
            approval=approval, by=request.user, is_good=is_good, message=message
        )
    except AlreadyDecidedError as error:
        return _overtaken(request, approval, error, message)
    except ApprovalError as error:
        return _again(request, approval, mode=Mode.REJECT, status=422, message_error=str(error))
    text = f"The proposal of {approval.tool} is judged {'good' if is_good else 'bad'}."
    return _decided(request, approval, inbox, text)


def _waiting(request: DeskRequest, slug: str, pk: int, kind: ToolApproval.Kind) -> ToolApproval:
    approval = approval_for(request, slug, pk, Permission.DECIDE_CALLS)
    if approval.kind != kind:
        raise Http404(f"{pk} is no {kind.label}.")
    return approval


def _again(
    request: DeskRequest, approval: ToolApproval, *, status: Any, **extra: Any
) -> HttpResponse:
    project = approval.run.agent.project
    return page(request, project, approval, partial="call", status=status, **extra)


def _ask_edited(
    request: DeskRequest, approval: ToolApproval, edited: dict[str, Any], message: str
) -> HttpResponse:
    """Show the call as it was changed, and ask whether it is to be made so."""
    kept = [
        (name, value)
        for name, value in request.POST.items()
        if name.startswith(PREFIX) or name == "message"
    ]
    asked = {"edited": edited, "kept": kept, "message": message}
    return _again(request, approval, mode=Mode.CONFIRM, status=200, **asked)


def _overtaken(
    request: DeskRequest, approval: ToolApproval, error: AlreadyDecidedError, typed: str = ""
) -> HttpResponse:
    """Show the call as it is now: who was faster, and what was typed for it."""
    fresh = approval_for(request, request.membership.project.slug, approval.pk)
    return _again(request, fresh, status=409, problem=str(error), typed=typed)


def _decided(request: DeskRequest, approval: ToolApproval, inbox: Inbox, text: str) -> HttpResponse:
    """Show the call that came after this one in the list, and say what was done."""
    slug = request.membership.project.slug
    before, after = inbox.neighbours(approval.pk)
    following = after or before
    url = reverse("approvals:index", args=[slug])
    if following:
        url = reverse("approvals:call", args=[slug, following.approval.pk])
    if not wants_fragment(request):
        messages.success(request, text)
        return go_to(request, url)
    project = approval.run.agent.project
    shown = following.approval if following else None
    response = page(request, project, shown, partial="decided", is_after_decision=True)
    response["HX-Push-Url"] = url
    response["HX-Retarget"] = "#inbox"
    return toast(response, text)
