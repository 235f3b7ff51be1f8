"""Calls that need several people: what they agree to, and whose yes counts."""

from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.config import content_hash
from agents.errors import ApprovalError
from agents.models import ApprovalVote, Run, ToolApproval
from agents.runtime.approval_rules import people_needed
from agents.runtime.open_calls import check_undecided, locked
from agents.tools.autonomy import database_now
from agents.tools.registry import contract_for


def proposed_now(approval: ToolApproval) -> dict[str, Any]:
    """Return what people agree to: the model's arguments, or the edit of one who agreed first."""
    is_edit = approval.status == ToolApproval.Status.WAITING
    found: dict[str, Any] = approval.arguments
    if is_edit and approval.decided_arguments is not None:
        found = approval.decided_arguments
    return found


def agreed(approval: ToolApproval) -> list[ApprovalVote]:
    """Return the votes that count, those for what is proposed now. No query if prefetched.

    Prefetch `votes__by` for lists.
    """
    wanted = content_hash(proposed_now(approval))
    votes = sorted(approval.votes.all(), key=lambda each: each.created_at)
    return [each for each in votes if each.arguments_hash == wanted]


def put_edit(*, run: Run, row: ToolApproval, arguments: dict[str, Any]) -> None:
    """Let the people agree to an edit; the votes before it no longer count.

    Call it with the rows locked. More money may need more people, less never needs fewer.
    """
    contract = contract_for(row.tool, run.project_id)
    needed = people_needed(run=run, contract=contract, arguments=arguments)
    row.decided_arguments, row.num_needed = arguments, max(row.num_needed, needed)
    row.save(update_fields=["decided_arguments", "num_needed"])


def take_back_vote(*, approval: ToolApproval, by: AbstractBaseUser) -> ToolApproval:
    """Take a person's yes back while others are missing; an edit that nobody stands by goes too.

    Raises:
        ApprovalError: The person did not agree to it.
        AlreadyDecidedError: It is decided or expired, or its run is being cancelled.
    """
    with transaction.atomic(), pghistory.context(user=by.pk, action="agreement taken back"):
        run, row = locked(approval)
        check_undecided(run, row, database_now())
        num_deleted, _ = row.votes.filter(by_id=by.pk).delete()
        if not num_deleted:
            raise ApprovalError(f"You did not agree to this call of {row.tool}.")
        if row.decided_arguments is not None and not agreed(row):
            row.decided_arguments = None
            row.save(update_fields=["decided_arguments"])
    return row


def vote(
    *, run: Run, row: ToolApproval, arguments: dict[str, Any], by: AbstractBaseUser, message: str
) -> bool:
    """Write a person's yes to these arguments, and say whether enough people gave theirs.

    Call it with the rows locked.

    Raises:
        ApprovalError: The person started the run, or agreed to the same already.
    """
    wanted = content_hash(arguments)
    if run.started_by_id == by.pk:
        raise ApprovalError(
            f"You started this run: its call of {row.tool} needs {row.num_needed} other people."
        )
    votes = {each.by_id: each.arguments_hash for each in row.votes.all()}
    if votes.get(by.pk) == wanted:
        raise ApprovalError(
            f"You agreed to this call of {row.tool} already: it needs another person."
        )
    ApprovalVote.objects.update_or_create(
        approval=row, by_id=by.pk, defaults={"arguments_hash": wanted, "message": message}
    )
    votes[by.pk] = wanted
    return sum(each == wanted for each in votes.values()) >= row.num_needed
