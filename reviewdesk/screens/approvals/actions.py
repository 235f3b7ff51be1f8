"""What the Approvals screen does: one POST address each, named like its function."""

from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from agents.errors import AlreadyDecidedError, ApprovalError, InvalidArgumentsError
from agents.models import ToolApproval
from agents.runtime import approvals
from agents.runtime.open_calls import is_asked_twice
from agents.runtime.votes import proposed_now
from agents.runtime.votes import take_back_vote as take_vote_back
from reviewdesk.people.access import DeskRequest, may
from reviewdesk.people.roles import Permission
from reviewdesk.screens.approvals.answers import again, done, overtaken
from reviewdesk.screens.approvals.argument_form import PREFIX, read_fields, with_problems
from reviewdesk.screens.approvals.call import Mode, approval_for, contract_of
from reviewdesk.screens.approvals.inbox import read_inbox, viewer_of

_CALL = ToolApproval.Kind.APPROVAL
_SUGGESTION = ToolApproval.Kind.SUGGESTION


@require_POST
def approve_call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Agree to the call as it stands; asked once more where it cannot be taken back."""
    approval = _waiting(request, slug, pk, _CALL)
    inbox = read_inbox(request.membership.project, viewer_of(request.membership))
    seen = request.POST.get("seen", "")
    try:
        if is_asked_twice(approval) and request.POST.get("confirmed") != "1":
            approvals.check_open(approval=approval)
            return again(request, approval, mode=Mode.CONFIRM, status=200)
        row = approvals.approve_call(approval=approval, seen=seen, **_as(request))
    except AlreadyDecidedError as error:
        return overtaken(request, approval, error)
    except ApprovalError as error:
        return again(request, approval, status=422, problem=str(error))
    return done(request, row, inbox, _granted_text(row, "approved"))


@require_POST
def edit_call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Agree to the call with other arguments; asked once more as for the proposed ones."""
    approval = _waiting(request, slug, pk, _CALL)
    inbox = read_inbox(request.membership.project, viewer_of(request.membership))
    contract = contract_of(approval)
    if contract is None:
        raise Http404(f"There is no tool called {approval.tool} any more.")
    schema = contract.parameters
    arguments, fields = read_fields(schema, proposed_now(approval), request.POST)
    message = request.POST.get("message", "")
    typed = {"mode": Mode.EDIT, "message": message, "status": 422}
    if any(field.errors for field in fields):
        return again(request, approval, fields=fields, **typed)
    if request.POST.get("back") == "1":
        return again(request, approval, fields=fields, **(typed | {"status": 200}))
    try:
        if is_asked_twice(approval) and request.POST.get("confirmed") != "1":
            edited = approvals.check_edit(approval=approval, arguments=arguments)
            return _ask_edited(request, approval, edited, message)
        row = approvals.edit_call(
            approval=approval, arguments=arguments, message=message, **_as(request)
        )
    except InvalidArgumentsError as error:
        fields, rest = with_problems(fields, error.problems)
        return again(request, approval, fields=fields, problem=" ".join(rest), **typed)
    except AlreadyDecidedError as error:
        return overtaken(request, approval, error, message)
    except ApprovalError as error:
        return again(request, approval, fields=fields, problem=str(error), **typed)
    return done(request, row, inbox, _granted_text(row, "approved with your changes"))


@require_POST
def reject_call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Refuse the call; the agent is told the message."""
    text = "{} is rejected; the agent is told why."
    return _with_words(request, slug, pk, approvals.reject_call, Mode.REJECT, text)


@require_POST
def respond_call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Answer the agent instead of deciding; the call is not made."""
    text = "{} is not made; the agent reads your answer."
    return _with_words(request, slug, pk, approvals.respond_call, Mode.RESPOND, text)


@require_POST
def escalate_call(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Leave the call to the leads, with a note."""
    approval = _waiting(request, slug, pk, _CALL)
    inbox = read_inbox(request.membership.project, viewer_of(request.membership))
    note = request.POST.get("message", "")
    try:
        row = approvals.escalate_call(approval=approval, by=request.user, note=note)
    except AlreadyDecidedError as error:
        return overtaken(request, approval, error, note)
    except ApprovalError as error:
        return again(request, approval, mode=Mode.ESCALATE, status=422, message_error=str(error))
    return done(request, row, inbox, f"{approval.tool} waits for a lead now; they are told.")


@require_POST
def take_back(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Take a decision back that has not left yet; the call waits again."""
    approval = approval_for(request, slug, pk, Permission.DECIDE_CALLS)
    try:
        approvals.take_back(approval=approval, by=request.user)
    except ApprovalError as error:
        return overtaken(request, approval, error, retarget=True)
    fresh = approval_for(request, slug, pk)
    inbox = read_inbox(request.membership.project, viewer_of(request.membership))
    text = f"Taken back: {approval.tool} waits again."
    return done(request, fresh, inbox, text, stays=True)


@require_POST
def take_back_vote(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Take one's agreement back while another person's is missing."""
    approval = _waiting(request, slug, pk, _CALL)
    try:
        take_vote_back(approval=approval, by=request.user)
    except ApprovalError as error:
        return overtaken(request, approval, error)
    fresh = approval_for(request, slug, pk)
    inbox = read_inbox(request.membership.project, viewer_of(request.membership))
    text = f"Taken back: you no longer agree to {approval.tool}."
    return done(request, fresh, inbox, text, stays=True)


@require_POST
def judge_suggestion(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Say whether a proposal was good; nothing is executed."""
    approval = _waiting(request, slug, pk, _SUGGESTION)
    inbox = read_inbox(request.membership.project, viewer_of(request.membership))
    is_good = request.POST.get("verdict") == "good"
    message = request.POST.get("message", "")
    try:
        row = approvals.judge_suggestion(
            approval=approval, by=request.user, is_good=is_good, message=message
        )
    except AlreadyDecidedError as error:
        return overtaken(request, approval, error, message)
    except ApprovalError as error:
        return again(request, approval, mode=Mode.REJECT, status=422, message_error=str(error))
    text = f"The proposal of {approval.tool} is judged {'good' if is_good else 'bad'}."
    return done(request, row, inbox, text)


def _with_words(
    request: DeskRequest, slug: str, pk: int, decide: Any, mode: Mode, text: str
) -> HttpResponse:
    approval = _waiting(request, slug, pk, _CALL)
    inbox = read_inbox(request.membership.project, viewer_of(request.membership))
    message = request.POST.get("message", "")
    try:
        row = decide(approval=approval, message=message, **_as(request))
    except AlreadyDecidedError as error:
        return overtaken(request, approval, error, message)
    except ApprovalError as error:
        typed = {"message": message, "message_error": str(error)}
        return again(request, approval, mode=mode, status=422, **typed)
    if row.is_canary:
        text = "{} was planted, so no agent reads what you wrote."
    leaves = " It leaves in 5 s." if row.leaves_at is not None else ""
    return done(request, row, inbox, text.format(approval.tool) + leaves)


def _as(request: DeskRequest) -> dict[str, Any]:
    """Return who decides, and whether what was escalated is theirs to decide."""
    return {"by": request.user, "is_lead": may(request, Permission.RAISE_AUTONOMY)}


def _waiting(request: DeskRequest, slug: str, pk: int, kind: ToolApproval.Kind) -> ToolApproval:
    approval = approval_for(request, slug, pk, Permission.DECIDE_CALLS)
    if approval.kind != kind:
        raise Http404(f"{pk} is no {kind.label}.")
    return approval


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
    return again(request, approval, mode=Mode.CONFIRM, status=200, **asked)


def _granted_text(row: ToolApproval, how: str) -> str:
    if row.status == ToolApproval.Status.WAITING:
        return f"You agreed to {row.tool}; it needs one more person."
    if row.leaves_at is not None:
        return f"{row.tool} is {how}; it leaves in 5 s."
    if row.is_canary:
        return f"{row.tool} was planted, so nothing is called."
    return f"{row.tool} is {how}; the run goes on."
