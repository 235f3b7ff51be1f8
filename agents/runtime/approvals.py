"""Deciding the calls that wait for a person. A decision is made once and consumed once.

Each is one transaction that locks the run, then the call. What was decided without being asked
twice leaves after `HOLD`: until then it may be taken back, and no effect of it starts.
"""

import re
from datetime import timedelta
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.errors import AlreadyDecidedError, ApprovalError, InvalidArgumentsError
from agents.models import ToolApproval
from agents.outbox import tell
from agents.runtime.open_calls import (
    check_not_cancelled,
    check_undecided,
    go_on,
    locked,
    wait_again,
)
from agents.runtime.verdicts import DECISION, HOLD, Verdict, check_kind, grant, refuse
from agents.runtime.votes import proposed_now
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract
from agents.tools.executor import argument_problems
from agents.tools.registry import contract_for
from traces.clean import clean_json, clean_text

_CALL = ToolApproval.Kind.APPROVAL
_SUGGESTION = ToolApproval.Kind.SUGGESTION
_Status = ToolApproval.Status


def approve_call(
    *,
    approval: ToolApproval,
    by: AbstractBaseUser,
    message: str = "",
    is_lead: bool = False,
    hold: timedelta = HOLD,
    seen: str = "",
) -> ToolApproval:
    """Agree to the call as it stands; it is made once as many people have as it needs.

    Args:
        approval: The call; with an edit that another person agreed to, that edit is meant.
        by: Who agrees.
        message: Stands with the decision.
        is_lead: Whether `by` may decide what was escalated.
        hold: How long it may be taken back; money and what cannot be undone leave at once.
        seen: Hash of the arguments that were shown; empty: whatever stands.

    Raises:
        ApprovalError: It was only proposed, or is not this person's to decide.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    return grant(approval, Verdict(by, _Status.APPROVED, message, is_lead, hold, seen), None)


def edit_call(
    *,
    approval: ToolApproval,
    by: AbstractBaseUser,
    arguments: dict[str, Any],
    message: str = "",
    is_lead: bool = False,
    hold: timedelta = HOLD,
) -> ToolApproval:
    """Agree to the call with other arguments; who agreed to the former ones no longer counts.

    Raises:
        InvalidArgumentsError: They do not fit the tool's schema.
        ApprovalError: Nothing was changed, it was only proposed, or is not this person's.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    arguments = check_edit(approval=approval, arguments=arguments)
    return grant(approval, Verdict(by, _Status.EDITED, message, is_lead, hold), arguments)


def reject_call(
    *,
    approval: ToolApproval,
    by: AbstractBaseUser,
    message: str,
    is_lead: bool = False,
    hold: timedelta = HOLD,
) -> ToolApproval:
    """Refuse the call; the model is told the message.

    Raises:
        ApprovalError: There is no message, it was only proposed, or is not this person's.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    if _says_nothing(message):
        raise ApprovalError("A rejection needs a message: the agent is told why.")
    return refuse(approval, Verdict(by, _Status.REJECTED, message, is_lead, hold), _CALL)


def respond_call(
    *,
    approval: ToolApproval,
    by: AbstractBaseUser,
    message: str,
    is_lead: bool = False,
    hold: timedelta = HOLD,
) -> ToolApproval:
    """Answer the agent instead of deciding: the call is not made, and the model reads the words.

    Raises:
        ApprovalError: There are no words, it was only proposed, or is not this person's.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    if _says_nothing(message):
        raise ApprovalError("Write what the agent is to do or ask instead; the answer is empty.")
    return refuse(approval, Verdict(by, _Status.RESPONDED, message, is_lead, hold), _CALL)


def judge_suggestion(
    *, approval: ToolApproval, by: AbstractBaseUser, is_good: bool, message: str = ""
) -> ToolApproval:
    """Say whether a proposed call would have been right; nothing is executed.

    Raises:
        ApprovalError: It is bad and there is no message; or the call waits for a decision.
        AlreadyDecidedError: Somebody was faster.
    """
    if not is_good and _says_nothing(message):
        raise ApprovalError("Say what is wrong with the proposal: it becomes evidence.")
    status = _Status.APPROVED if is_good else _Status.REJECTED
    return refuse(approval, Verdict(by, status, message, is_lead=True), _SUGGESTION)


def escalate_call(*, approval: ToolApproval, by: AbstractBaseUser, note: str) -> ToolApproval:
    """Leave the call to the leads: nobody else may decide it any more, and they are told.

    Raises:
        ApprovalError: There is no note, it was only proposed, or is escalated already.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    note = clean_text(note.strip())[:1000]
    if _says_nothing(note):
        raise ApprovalError("Say what the leads have to know; the note is empty.")
    with transaction.atomic(), pghistory.context(user=by.pk, reason=note, action="escalated"):
        run, row = locked(approval)
        check_kind(row, _CALL)
        check_undecided(run, row, database_now())
        if row.escalated_at is not None:
            raise AlreadyDecidedError(f"The call of {row.tool} is with the leads already.")
        row.escalated_at, row.escalated_by_id = database_now(), by.pk
        row.escalation_note = note
        row.save(update_fields=["escalated_at", "escalated_by", "escalation_note"])
        tell(
            project=run.project,
            event="approval_escalated",
            payload={
                "title": f"A call of {row.tool} was escalated to the leads",
                "url": f"/p/{run.project.slug}/approvals/{row.pk}/",
                "approval": row.pk,
                "tool": row.tool,
            },
            key=f"approval:{row.pk}:escalated",
        )
    return row


def take_back(*, approval: ToolApproval, by: AbstractBaseUser) -> ToolApproval:
    """Take a decision back before it leaves: the call waits again as if nobody had decided.

    Raises:
        ApprovalError: Nobody decided it, or somebody else did.
        AlreadyDecidedError: It has left.
    """
    with transaction.atomic(), pghistory.context(user=by.pk, action="taken back"):
        run, row = locked(approval)
        if row.status == _Status.WAITING or row.decided_by_id is None:
            raise ApprovalError(f"The call of {row.tool} is {row.get_status_display()}.")
        if row.decided_by_id != by.pk:
            raise ApprovalError(f"{row.decided_by} decided this call; only they take it back.")
        if row.leaves_at is None or row.leaves_at <= database_now() or row.consumed_at:
            raise AlreadyDecidedError(
                f"The decision about {row.tool} has left already: it is {row.get_status_display()}."
            )
        check_not_cancelled(run, row)
        row.status, row.message = _Status.WAITING, ""
        row.decided_by_id = row.decided_at = row.decided_arguments = row.leaves_at = None
        row.save(update_fields=DECISION)
        wait_again(run)
    return row


def check_edit(*, approval: ToolApproval, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as they would be decided; nothing is locked or written.

    Raises:
        InvalidArgumentsError: They do not fit the tool's schema.
        ApprovalError: Nothing was changed.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    check_open(approval=approval)
    arguments = clean_json(arguments)
    if problems := argument_problems(_contract(approval), arguments):
        raise InvalidArgumentsError(problems)
    if arguments == proposed_now(approval):
        raise ApprovalError(
            "Nothing was changed: approve the call as it is, or change an argument."
        )
    return arguments


def check_open(*, approval: ToolApproval) -> None:
    """Make sure that a call could be decided now; nothing is locked or written.

    Raises:
        AlreadyDecidedError: Somebody or the clock was faster, or its run is being cancelled.
    """
    check_undecided(approval.run, approval, database_now())


def expire_approvals() -> int:
    """Mark the calls that nobody decided in time, and let their runs go on without them."""
    expired = 0
    for approval in ToolApproval.objects.filter(
        status=_Status.WAITING, expires_at__lte=database_now()
    ).order_by("expires_at")[:200]:
        with transaction.atomic(), pghistory.context(action="expired"):
            run, row = locked(approval)
            if row.status != _Status.WAITING:
                continue
            row.status, row.decided_at = _Status.EXPIRED, database_now()
            row.save(update_fields=["status", "decided_at"])
            go_on(run)
            expired += 1
    return expired


def _says_nothing(message: str) -> bool:
    return re.search(r"\w", message) is None


def _contract(approval: ToolApproval) -> ToolContract:
    return contract_for(approval.tool, approval.run.project_id)
