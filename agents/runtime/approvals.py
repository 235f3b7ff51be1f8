"""Deciding the calls that wait for a person. A decision is made once and consumed once."""

import re
from datetime import datetime
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.errors import AlreadyDecidedError, ApprovalError, InvalidArgumentsError
from agents.models import Run, ToolApproval
from agents.runtime.ending import wake_run
from agents.runtime.hints import hint_on_commit
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract
from agents.tools.executor import argument_problems
from agents.tools.registry import contract_for
from traces.clean import clean_json, clean_text

_CALL = ToolApproval.Kind.APPROVAL
_SUGGESTION = ToolApproval.Kind.SUGGESTION


def approve_call(
    *, approval: ToolApproval, by: AbstractBaseUser, message: str = ""
) -> ToolApproval:
    """Let the call be made as proposed.

    Raises:
        ApprovalError: It was only proposed.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    return _decide(approval, by, _CALL, ToolApproval.Status.APPROVED, message)


def edit_call(
    *, approval: ToolApproval, by: AbstractBaseUser, arguments: dict[str, Any], message: str = ""
) -> ToolApproval:
    """Let the call be made with other arguments.

    Raises:
        InvalidArgumentsError: They do not fit the tool's schema.
        ApprovalError: Nothing was changed, or it was only proposed.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    arguments = check_edit(approval=approval, arguments=arguments)
    return _decide(approval, by, _CALL, ToolApproval.Status.EDITED, message, arguments)


def reject_call(*, approval: ToolApproval, by: AbstractBaseUser, message: str) -> ToolApproval:
    """Refuse the call; the model is told the message.

    Raises:
        ApprovalError: There is no message, or it was only proposed.
        AlreadyDecidedError: Somebody or the clock was faster.
    """
    if _says_nothing(message):
        raise ApprovalError("A rejection needs a message: the agent is told why.")
    return _decide(approval, by, _CALL, ToolApproval.Status.REJECTED, message)


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
    status = ToolApproval.Status.APPROVED if is_good else ToolApproval.Status.REJECTED
    return _decide(approval, by, _SUGGESTION, status, message)


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
    if arguments == approval.arguments:
        raise ApprovalError(
            "Nothing was changed: approve the call as it is, or change an argument."
        )
    return arguments


def check_open(*, approval: ToolApproval) -> None:
    """Make sure that a call could be decided now; nothing is locked or written.

    Raises:
        AlreadyDecidedError: Somebody or the clock was faster, or its run is being cancelled.
    """
    _check_open(approval.run, approval, database_now())


def expire_approvals() -> int:
    """Mark the calls that nobody decided in time, and let their runs go on without them."""
    expired = 0
    for approval in ToolApproval.objects.filter(
        status=ToolApproval.Status.WAITING, expires_at__lte=database_now()
    ).order_by("expires_at")[:200]:
        with transaction.atomic(), pghistory.context(action="expired"):
            run, row = _locked(approval)
            if row.status != ToolApproval.Status.WAITING:
                continue
            row.status, row.decided_at = ToolApproval.Status.EXPIRED, database_now()
            row.save(update_fields=["status", "decided_at"])
            _wake(run)
            expired += 1
    return expired


def _decide(
    approval: ToolApproval,
    by: AbstractBaseUser,
    kind: ToolApproval.Kind,
    status: ToolApproval.Status,
    message: str,
    edited: dict[str, Any] | None = None,
) -> ToolApproval:
    message = clean_text(message.strip())[:1000]
    with (
        transaction.atomic(),
        pghistory.context(user=by.pk, reason=message, action=str(status)),
    ):
        run, row = _locked(approval)
        if row.kind != kind:
            raise ApprovalError(_of_other_kind(row))
        now = database_now()
        _check_open(run, row, now)
        row.status, row.message, row.decided_arguments = status, message, edited
        if kind is _CALL and status is ToolApproval.Status.APPROVED:
            row.decided_arguments = row.arguments
        row.decided_by_id, row.decided_at = by.pk, now
        row.save(
            update_fields=["status", "message", "decided_arguments", "decided_by", "decided_at"]
        )
        if kind is _CALL:
            _wake(run)
    return row


def _check_open(run: Run, row: ToolApproval, now: datetime) -> None:
    if row.status != ToolApproval.Status.WAITING:
        raise AlreadyDecidedError(_who_was_faster(row))
    if row.expires_at and row.expires_at <= now:
        raise AlreadyDecidedError(
            f"The call of {row.tool} has expired at {row.expires_at:%H:%M} UTC: nobody decided "
            "in time. It was not made."
        )
    if row.kind == _CALL and run.cancel_requested_at:
        raise AlreadyDecidedError(
            f"The run is {run.error or 'cancelled'}: the call of {row.tool} is not made."
        )


def _locked(approval: ToolApproval) -> tuple[Run, ToolApproval]:
    # The run first, as the worker does: the same order everywhere cannot deadlock.
    run = (
        Run.objects.select_for_update(of=("self",))
        .select_related("session")
        .get(pk=approval.run_id)
    )
    return run, ToolApproval.objects.select_for_update().get(pk=approval.pk)


def _wake(run: Run) -> None:
    if run.status == Run.Status.WAITING:
        wake_run(run)
        hint_on_commit()


def _of_other_kind(row: ToolApproval) -> str:
    if row.kind == _CALL:
        return f"The call of {row.tool} waits for a decision: approve, edit or reject it."
    return f"The call of {row.tool} was only proposed: judge it good or bad; it is never made."


def _who_was_faster(row: ToolApproval) -> str:
    status = row.get_status_display()
    if row.decided_by:
        return (
            f"{row.decided_by} was faster: {row.tool} was {status} at {row.decided_at:%H:%M} UTC."
        )
    return f"The call of {row.tool} is {status} already; nothing was changed."


def _says_nothing(message: str) -> bool:
    return re.search(r"\w", message) is None


def _contract(approval: ToolApproval) -> ToolContract:
    return contract_for(approval.tool, approval.run.project_id)
