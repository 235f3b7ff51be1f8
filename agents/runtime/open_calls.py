"""A call that waits for a person, under lock: whether it is open still, and its run's next turn."""

import time
from datetime import datetime

from django.db import transaction

from agents.errors import AlreadyDecidedError
from agents.models import Run, Step, Tier, ToolApproval
from agents.runtime.ending import park_run, wake_run
from agents.runtime.hints import hint_on_commit
from agents.tools.autonomy import database_now
from agents.tools.registry import UnknownToolError, contract_for
from traces.models import Session, Span
from traces.recorder import set_status

ASKED_TWICE = frozenset({Tier.MONEY, Tier.WRITE_IRREVERSIBLE})
_PLANTED = "planted to see whether people read; never made"
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


def go_on(run: Run) -> None:
    """Let the run take up what was decided once that has left; called with its row locked.

    Calls of one turn are decided in any order and made in the model's: the first one that was not
    made yet says when the run goes on.
    """
    if run.kind == Run.Kind.CANARY:
        end_planted(run)
        return
    ready_at = _ready_at(run)
    if run.status != Run.Status.WAITING or run.parked_for == Run.Parked.STOP or ready_at is None:
        return
    wake_run(run)
    run.next_at = max(ready_at, run.next_at) if run.next_at else ready_at
    run.save(update_fields=["next_at"])
    hint_on_commit()


def wait_again(run: Run) -> None:
    """Park a run whose decision was taken back, unless an earlier one lets it go on."""
    if run.status == Run.Status.QUEUED and _ready_at(run) is None:
        park_run(run)


def wake_decided() -> int:
    """Let runs go on that wait although a decision has left; return how many.

    A worker that comes to a decision which is held parks the run again.
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
        with transaction.atomic():
            run, _ = locked(approval)
            ready_at = _ready_at(run)
            if run.status == Run.Status.WAITING and ready_at and ready_at <= database_now():
                go_on(run)
                woken += 1
    return woken


def end_planted(run: Run) -> None:
    """End the run of a planted call: nothing of it was or will be made."""
    if run.status not in Run.OPEN:
        return
    run.status, run.finished_at = Run.Status.COMPLETED, database_now()
    run.parked_for = Run.Parked.NOT
    run.save(update_fields=["status", "finished_at", "parked_for"])
    spans = list(run.steps.values_list("span_id", flat=True))
    run.steps.update(
        status=Step.Status.FAILED, finished_at=run.finished_at, response={"error": _PLANTED}
    )
    Span.objects.filter(session=run.session_id, span_id__in=spans).update(
        status=Span.Status.ERROR, status_message=_PLANTED
    )
    set_status(session=run.session, status=Session.Status.COMPLETED, end_ns=time.time_ns())


def _ready_at(run: Run) -> datetime | None:
    """Return when the first call that waits may be taken up; None while nobody has decided it."""
    steps = run.steps.filter(status=Step.Status.WAITING).select_related("approval")
    first = steps.order_by("index").first()
    approval = getattr(first, "approval", None) if first else None
    if approval is None or approval.status == ToolApproval.Status.WAITING:
        return None
    return approval.leaves_at or database_now()


def _who_was_faster(row: ToolApproval) -> str:
    status = row.get_status_display()
    if row.decided_by:
        return (
            f"{row.decided_by} was faster: {row.tool} was {status} at {row.decided_at:%H:%M} UTC."
        )
    why = f" ({row.message})" if row.message else ""
    return f"The call of {row.tool} is {status} already{why}; nothing was changed."
