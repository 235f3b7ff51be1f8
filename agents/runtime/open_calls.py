"""A call that waits for a person, under lock: whether it is open still, and its run's next turn."""

from datetime import datetime, timedelta

from django.db import transaction

from agents.errors import AlreadyDecidedError
from agents.models import Run, Step, Tier, ToolApproval
from agents.runtime.ending import end_run, park_run, wake_run
from agents.runtime.hints import hint_on_commit
from agents.tools.autonomy import database_now
from agents.tools.registry import UnknownToolError, contract_for

ASKED_TWICE = frozenset({Tier.MONEY, Tier.WRITE_IRREVERSIBLE})
_TRIED_FOR = timedelta(seconds=5)
_DECIDED = (
    ToolApproval.Status.APPROVED,
    ToolApproval.Status.EDITED,
    ToolApproval.Status.REJECTED,
    ToolApproval.Status.RESPONDED,
    ToolApproval.Status.EXPIRED,
)


def locked(approval: ToolApproval) -> tuple[Run, ToolApproval]:
    """Lock the run, then the approval, as the worker does: one order cannot deadlock."""
    run = (
        Run.objects.select_for_update(of=("self",))
        .select_related("session", "project", "agent")
        .get(pk=approval.run_id)
    )
    row = ToolApproval.objects.select_for_update().get(pk=approval.pk)
    row.run = run
    return run, row


def is_asked_twice(approval: ToolApproval) -> bool:
    """Say whether a yes moves money or cannot be undone: it is asked twice, and leaves at once."""
    try:
        return contract_for(approval.tool, approval.run.project_id).tier in ASKED_TWICE
    except UnknownToolError:
        return approval.tier in ASKED_TWICE


def check_undecided(run: Run, row: ToolApproval, now: datetime) -> None:
    """Make sure that a call can be decided.

    Raises:
        AlreadyDecidedError: Somebody or the clock was faster, or its run is being cancelled.
    """
    if row.status != ToolApproval.Status.WAITING:
        raise AlreadyDecidedError(_who_was_faster(row))
    if row.expires_at and row.expires_at <= now:
        raise AlreadyDecidedError(
            f"The call of {row.tool} has expired at {row.expires_at:%H:%M} UTC: nobody decided "
            "in time. It was not made."
        )
    check_not_cancelled(run, row)


def check_not_cancelled(run: Run, row: ToolApproval) -> None:
    """Make sure that the run goes on.

    Raises:
        AlreadyDecidedError: It is being cancelled.
    """
    if row.kind == ToolApproval.Kind.APPROVAL and run.cancel_requested_at:
        raise AlreadyDecidedError(
            f"The run is {run.error or 'cancelled'}: the call of {row.tool} is not made."
        )


def go_on(run: Run, at: datetime) -> None:
    """Let the run take up a decision at `at`; a planted one has done what it was for.

    Where several decisions of a run are held, it goes on when the last of them has left.
    """
    if run.kind == Run.Kind.CANARY:
        if run.status in Run.OPEN:
            end_run(run, Run.Status.COMPLETED)
        return
    if run.status == Run.Status.WAITING and run.parked_for != Run.Parked.STOP:
        wake_run(run)
        run.next_at = at
    elif run.status == Run.Status.QUEUED and run.next_at and run.next_at < at:
        run.next_at = at
    else:
        return
    run.save(update_fields=["next_at"])
    hint_on_commit()


def wait_again(run: Run) -> None:
    """Park a run whose decision was taken back, unless another decision lets it go on."""
    held = ToolApproval.objects.filter(
        run=run, status__in=_DECIDED, consumed_at=None, step__status=Step.Status.WAITING
    )
    if run.status == Run.Status.QUEUED and not held.exists():
        park_run(run)


def wake_decided() -> int:
    """Let runs go on that wait although a decision has left; return how many.

    A worker that looks while one decision is held and another is not parks the run again.
    """
    ready = ToolApproval.objects.filter(
        run__status=Run.Status.WAITING,
        run__parked_for__in=[Run.Parked.NOT, Run.Parked.APPROVAL],
        status__in=_DECIDED,
        kind=ToolApproval.Kind.APPROVAL,
        consumed_at=None,
        step__status=Step.Status.WAITING,
    )
    woken = 0
    for approval in ready.exclude(run__kind=Run.Kind.CANARY).order_by("decided_at")[:200]:
        woken += _wake_one(approval)
    return woken


def _wake_one(approval: ToolApproval) -> int:
    with transaction.atomic():
        run, row = locked(approval)
        now = database_now()
        if run.status != Run.Status.WAITING or (row.leaves_at and row.leaves_at > now):
            return 0
        others = run.approvals.filter(
            status=ToolApproval.Status.WAITING, kind=ToolApproval.Kind.APPROVAL
        )
        # While others wait it is tried for a moment only: their decision lets the run go on.
        left_at = row.leaves_at or row.decided_at
        if others.exists() and (left_at is None or left_at < now - _TRIED_FOR):
            return 0
        go_on(run, now)
        return 1


def _who_was_faster(row: ToolApproval) -> str:
    status = row.get_status_display()
    if row.decided_by:
        return (
            f"{row.decided_by} was faster: {row.tool} was {status} at {row.decided_at:%H:%M} UTC."
        )
    return f"The call of {row.tool} is {status} already; nothing was changed."
