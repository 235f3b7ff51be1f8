"""A person's verdict about a waiting call, written under the locks of the run and the call."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.config import content_hash
from agents.errors import AlreadyDecidedError, ApprovalError
from agents.models import Run, ToolApproval
from agents.runtime.open_calls import check_undecided, go_on, is_asked_twice, locked
from agents.runtime.votes import proposed_now, put_edit, vote
from agents.tools.autonomy import database_now
from traces.clean import clean_text

HOLD = timedelta(seconds=5)
DECISION = ("status", "message", "decided_arguments", "decided_by", "decided_at", "leaves_at")

_CALL = ToolApproval.Kind.APPROVAL
_Status = ToolApproval.Status


@dataclass(frozen=True)
class Verdict:
    """What a person says about a call, and under which authority.

    Attributes:
        is_lead: Whether the person may decide what was escalated.
        hold: How long it may be taken back.
        seen: Hash of the arguments that the person read; empty: whatever stands.
    """

    by: AbstractBaseUser
    status: ToolApproval.Status
    message: str = ""
    is_lead: bool = False
    hold: timedelta = HOLD
    seen: str = ""


def grant(approval: ToolApproval, verdict: Verdict, edited: dict[str, Any] | None) -> ToolApproval:
    """Write a person's yes; with as many as are needed the call is granted."""
    message, by = clean_text(verdict.message.strip())[:1000], verdict.by
    context = pghistory.context(user=by.pk, reason=message, action=str(verdict.status))
    with transaction.atomic(), context:
        run, row = locked(approval)
        now = _check(run, row, verdict, _CALL)
        arguments = proposed_now(row) if edited is None else edited
        if verdict.seen and verdict.seen != content_hash(arguments):
            raise AlreadyDecidedError(
                f"Somebody changed what {row.tool} would do meanwhile: read it again, then decide."
            )
        if edited is not None:
            put_edit(run=run, row=row, arguments=edited)
        if row.num_needed > 1 and not vote(
            run=run, row=row, arguments=arguments, by=by, message=message
        ):
            return row
        is_as_asked = arguments == row.arguments
        row.status = _Status.APPROVED if is_as_asked else _Status.EDITED
        row.decided_arguments = arguments
        _close(run, row, verdict, message, now, is_held=not is_asked_twice(row))
    return row


def refuse(approval: ToolApproval, verdict: Verdict, kind: ToolApproval.Kind) -> ToolApproval:
    """Write a verdict by which nothing is made: a no, an answer, or one about a proposal."""
    message, by = clean_text(verdict.message.strip())[:1000], verdict.by
    context = pghistory.context(user=by.pk, reason=message, action=str(verdict.status))
    with transaction.atomic(), context:
        run, row = locked(approval)
        now = _check(run, row, verdict, kind)
        row.status, row.decided_arguments = verdict.status, None
        _close(run, row, verdict, message, now, is_held=kind is _CALL)
    return row


def _close(
    run: Run,
    row: ToolApproval,
    verdict: Verdict,
    message: str,
    now: datetime,
    *,
    is_held: bool,
) -> None:
    row.message, row.decided_by_id, row.decided_at = message, verdict.by.pk, now
    if is_held and verdict.hold and not row.is_canary:
        row.leaves_at = now + verdict.hold
    row.save(update_fields=DECISION)
    if row.kind == _CALL:
        go_on(run)


def _check(run: Run, row: ToolApproval, verdict: Verdict, kind: ToolApproval.Kind) -> datetime:
    check_kind(row, kind)
    now = database_now()
    check_undecided(run, row, now)
    if row.escalated_at is not None and not verdict.is_lead:
        raise ApprovalError(
            f"The call of {row.tool} was escalated by {row.escalated_by}: a lead decides it."
        )
    return now


def check_kind(row: ToolApproval, kind: ToolApproval.Kind) -> None:
    """Raise `ApprovalError` where a call is decided as a proposal, or the other way round."""
    if row.kind == kind:
        return
    if row.kind == _CALL:
        text = f"The call of {row.tool} waits for a decision: approve, edit or reject it."
    else:
        text = f"The call of {row.tool} was only proposed: judge it good or bad; it is never made."
    raise ApprovalError(text)
